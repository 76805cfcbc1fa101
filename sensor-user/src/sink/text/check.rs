//! What `tidewaiter check` found, on a screen or two: a short line for what is well, a paragraph for what is not.

use std::cmp::Reverse;

use super::View;
use super::line::{FAINT, GOOD, Line, PLAIN, STRONG, WARNING, wrap};
use super::notice::some;
use crate::check::{Check, Finding, Section, Verdict};

/// Columns before what is said.
const LABEL: usize = 28;
/// Columns before what is said in a paragraph.
const INDENT: usize = 14;
/// Lines of a part of a paragraph: more than any sentence of the table takes at the narrowest.
const LINES: usize = 24;
/// Said where a hook is missing that no rule asks for.
const NONE: &str = "none of the detections at work here";
/// Detections that are named; of more the rest is counted.
const NAMED: usize = 6;

/// All that was found, and how to tell it.
#[derive(Clone, Copy, Debug)]
pub struct Examination<'a> {
    pub findings: &'a [Finding],
    /// How many detections there are.
    pub detections: usize,
    /// Names of those that anything weakens.
    pub weakened: &'a [String],
    /// Leave nothing out.
    pub all: bool,
}

/// All lines, each ended by a newline.
#[must_use]
pub fn render(examination: &Examination<'_>, view: &View) -> String {
    let mut page = Page { lines: Vec::new(), width: view.columns(), examination };
    for section in Section::ALL {
        page.section(section);
    }
    page.sum();
    let mut text = String::new();
    for line in page.lines {
        line.paint(view.colour, &mut text);
        text.push('\n');
    }
    text
}

struct Page<'a> {
    lines: Vec<Line>,
    width: usize,
    examination: &'a Examination<'a>,
}

impl Page<'_> {
    fn section(&mut self, section: Section) {
        let of = |finding: &&Finding| finding.check.row().section == section;
        let mut findings: Vec<&Finding> = self.examination.findings.iter().filter(of).collect();
        if findings.is_empty() {
            return;
        }
        self.lines.push(Line::new().with(STRONG, section.name()));
        if section == Section::Hook {
            // The gravest first: forty hooks are more than a screen.
            findings.sort_by_key(|finding| (finding.verdict != Verdict::Good, Reverse(finding.verdict)));
            self.hooks(&mut findings);
        }
        for (at, finding) in findings.iter().enumerate() {
            self.finding(finding);
            // What is to be done about several in a row is said once, behind them.
            let next = findings.get(at + 1).filter(|next| next.verdict != Verdict::Good);
            if next.is_none_or(|next| next.remedy != finding.remedy) {
                self.part("do", &finding.remedy);
            }
        }
        self.lines.push(Line::new());
    }

    /// Sums up those that are as they should be: nobody reads forty lines that say that all is well.
    fn hooks(&mut self, findings: &mut Vec<&Finding>) {
        let all = findings.len();
        let good = findings.iter().filter(|finding| finding.verdict == Verdict::Good).count();
        if good == 0 || self.examination.all {
            return;
        }
        findings.retain(|finding| finding.verdict != Verdict::Good);
        let what = match all - good {
            0 => format!("all {all} attached, none sees less than it could"),
            rest => format!("{good} attached as they should be, {rest} not"),
        };
        self.line(Verdict::Good, "attached", &what);
    }

    fn finding(&mut self, finding: &Finding) {
        let name = finding.check.row().name.replace('_', " ");
        self.line(finding.verdict, finding.subject.as_deref().unwrap_or(&name), &finding.what);
        if finding.verdict != Verdict::Good {
            self.part("means", &finding.means);
            let is_hook = finding.check == Check::Hook && finding.subject.is_some();
            let none = is_hook && self.examination.detections > 0 && finding.weakens.is_empty();
            let weakens = if none { NONE.to_owned() } else { self.weakens(&finding.weakens) };
            self.part("weakens", &weakens);
        }
    }

    fn line(&mut self, verdict: Verdict, name: &str, what: &str) {
        let (style, sign) = mark(verdict);
        let head = Line::new().with(PLAIN, " ").with(style, sign).with(PLAIN, format!(" {name}"));
        if head.width() + 2 <= LABEL {
            self.wrapped(head.pad(LABEL), LABEL, what);
        } else {
            // A name that leaves no room has its line for itself.
            self.lines.push(head.cut(self.width));
            self.wrapped(Line::new().pad(INDENT), INDENT, what);
        }
    }

    fn wrapped(&mut self, head: Line, indent: usize, text: &str) {
        let mut head = Some(head);
        for line in wrap(PLAIN, text, self.width.saturating_sub(indent), LINES) {
            let begin = head.take().unwrap_or_else(|| Line::new().pad(indent));
            self.lines.push(begin.join(line));
        }
        self.lines.extend(head);
    }

    /// One part of a paragraph; nothing where there is nothing to say.
    fn part(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            let head = Line::new().with(PLAIN, "     ").with(FAINT, label).pad(INDENT);
            self.wrapped(head, INDENT, text);
        }
    }

    fn weakens(&self, names: &[String]) -> String {
        let shown = if self.examination.all { names.len() } else { NAMED };
        match names.len().saturating_sub(shown) {
            _ if names.len() > 1 && names.len() == self.examination.detections => {
                "every detection".to_owned()
            }
            0 => names.join(", "),
            more => {
                let named = names.get(..shown).unwrap_or_default().join(", ");
                format!("{named} and {more} more (--all shows them)")
            }
        }
    }

    /// How many findings come to what: the legend of the signs as well.
    fn sum(&mut self) {
        let Examination { findings, detections, weakened, .. } = *self.examination;
        let mut line = Line::new();
        for verdict in Verdict::ALL.into_iter().rev() {
            let count = findings.iter().filter(|finding| finding.verdict == verdict).count();
            if count > 0 {
                let (style, sign) = mark(verdict);
                line = line.with(PLAIN, " ").with(style, sign);
                line = line.with(STRONG, format!(" {count} {}", verdict.name())).with(PLAIN, "  ");
            }
        }
        self.lines.push(line);
        let of = some(detections as u64, "detection");
        let weak = match (detections, weakened.len()) {
            (0, _) => return,
            (_, 0) => Line::new().with(PLAIN, format!("   {of}, none weakened")),
            (_, weakened) => Line::new().with(STRONG, format!("   {weakened} of {of} weakened")),
        };
        self.lines.push(weak);
    }
}

/// The sign of a verdict, and its colour.
fn mark(verdict: Verdict) -> (anstyle::Style, &'static str) {
    match verdict {
        Verdict::Good => (GOOD, "●"),
        Verdict::Note => (FAINT, "○"),
        Verdict::Unknown => (WARNING, "?"),
        Verdict::Weak => (WARNING, "△"),
        Verdict::Bad => (WARNING, "▲"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::check::Problem;

    fn shown(findings: &[Finding], all: bool, width: usize) -> String {
        let weakened = findings.iter().flat_map(|finding| finding.weakens.clone()).collect::<Vec<_>>();
        let examination = Examination { findings, detections: 99, weakened: &weakened, all };
        render(&examination, &View { width, colour: false, zone: TimeZone::UTC })
    }

    fn missing() -> Finding {
        let names = (1..=9).map(|number| format!("detection_{number}")).collect();
        let finding = Finding::problem(Problem::HookMissing, "nothing; refused: fentry x (no)").of("mount");
        Finding { weakens: names, ..finding.meaning("not seen: mounts") }
    }

    #[test]
    fn what_is_well_takes_a_line_and_what_is_not_a_paragraph() {
        let good = |name| Finding::good(Check::Hook, "tracepoint y, tier 1").of(name);
        let release = Finding::good(Check::Release, "Linux 6.12.1, x86_64");
        let weak = Finding::problem(Problem::HookWeak, "tracepoint z, tier 2").of("written");
        let again = Finding::problem(Problem::HookWeak, "tracepoint z, tier 2").of("mapped");
        let text = shown(&[release, good("a"), weak, good("b"), again, missing()], false, 100);
        let expected = "\
kernel
 ● release                  Linux 6.12.1, x86_64

hooks
 ● attached                 2 attached as they should be, 3 not
 ▲ mount                    nothing; refused: fentry x (no)
     means    not seen: mounts
     weakens  detection_1, detection_2, detection_3, detection_4, detection_5, detection_6 and 3
              more (--all shows them)
     do       boot a kernel that allows it, or one newer; docs/hook.md has what each needs
 △ written                  tracepoint z, tier 2
     means    a lower tier sees less
     weakens  none of the detections at work here
 △ mapped                   tracepoint z, tier 2
     means    a lower tier sees less
     weakens  none of the detections at work here
     do       boot a kernel that lets programs attach by fentry (most of the distributions do);
              docs/hook.md has the tiers

 ▲ 1 bad   △ 2 weak   ● 3 good
   9 of 99 detections weakened
";
        assert_eq!(text, expected);
    }

    #[test]
    fn all_leaves_nothing_out_and_no_line_is_too_wide() {
        let good = Finding::good(Check::Hook, "tracepoint y, tier 1").of("a hook");
        let text = shown(&[good, missing()], true, 60);
        assert!(text.contains(" ● a hook") && text.contains("detection_9"), "{text}");
        assert!(!text.contains("--all"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn nothing_in_a_finding_can_forge_a_line() {
        let finding =
            Finding::problem(Problem::ReceiverAway, "a\n ● release  all is well\u{1b}[2J").of("tcp://\r");
        let text = shown(&[finding], false, 100);
        assert!(!text.contains('\r') && !text.contains('\u{1b}') && !text.contains("\n ● release"), "{text}");
    }
}
