//! The same for programs: one document. docs/check.md describes it.

use serde::Serialize;

use super::Examination;
use crate::alert::HookCoverage;
use crate::check::{Finding, Verdict};
use crate::ebpf::proof::Proof;

/// All of it.
pub(super) fn json(examination: &Examination, weakened: &[String], is_well: bool) -> String {
    let document = Document {
        is_well,
        findings: examination.findings.iter().map(FindingDocument::of).collect(),
        weakened,
        hooks: examination.hooks.iter().map(HookDocument::of).collect(),
        detections: examination.detections.len(),
        missing_offsets: &examination.missing_offsets,
    };
    // Strings, numbers and lists of them: there is nothing in it that has no JSON form.
    serde_json::to_string_pretty(&document).map(|json| json + "\n").unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    is_well: bool,
    findings: Vec<FindingDocument<'a>>,
    weakened: &'a [String],
    hooks: Vec<HookDocument<'a>>,
    detections: usize,
    missing_offsets: &'a [&'static str],
}

#[derive(Serialize)]
struct FindingDocument<'a> {
    section: &'static str,
    check: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    means: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    weakens: &'a [String],
}

impl<'a> FindingDocument<'a> {
    fn of(finding: &'a Finding) -> Self {
        let row = finding.check.row();
        Self {
            section: row.section.name(),
            check: row.name,
            subject: finding.subject.as_deref(),
            verdict: finding.verdict,
            problem: finding.problem.map(|problem| problem.row().name),
            what: &finding.what,
            means: &finding.means,
            remedy: &finding.remedy,
            weakens: &finding.weakens,
        }
    }
}

#[derive(Serialize)]
struct HookDocument<'a> {
    purpose: &'a str,
    attached: Option<&'a str>,
    tier: Option<u8>,
    proven: bool,
    /// Why it cannot be proven on this host.
    unprovable: Option<&'a str>,
    refused: Vec<Refusal<'a>>,
    not_seen: Option<&'a str>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    attach_point: &'a str,
    reason: &'a str,
}

impl<'a> HookDocument<'a> {
    fn of((hook, proof): &'a (HookCoverage, Option<Proof>)) -> Self {
        let unprovable = match proof {
            Some(Proof::Unprovable(reason)) => Some(reason.as_str()),
            Some(Proof::Proven | Proof::Silent) | None => None,
        };
        let refused = hook.refused.iter();
        let refused = refused.map(|(attach_point, reason)| Refusal { attach_point, reason });
        Self {
            purpose: hook.purpose,
            attached: hook.attached.as_deref(),
            tier: hook.attached.is_some().then_some(hook.tier),
            proven: *proof == Some(Proof::Proven),
            unprovable,
            refused: refused.collect(),
            not_seen: hook.weakens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Problem;

    fn told(findings: Vec<Finding>, hooks: Vec<(HookCoverage, Option<Proof>)>) -> serde_json::Value {
        let detections = vec!["a".to_owned(), "b".to_owned()];
        let examination = Examination { findings, hooks, detections, missing_offsets: vec!["sock_cookie"] };
        let (weakened, is_well) = (examination.weakened(), false);
        serde_json::from_str(&json(&examination, &weakened, is_well)).unwrap()
    }

    #[test]
    fn programs_get_the_same_facts() {
        let weak = Finding::problem(Problem::HookMissing, "nothing").of("file system mounted");
        let weak = Finding { weakens: vec!["b".to_owned()], ..weak.meaning("not seen: mounts") };
        let note = Finding::problem(Problem::BaselineNone, "none is named");
        let note = Finding { weakens: vec!["a".to_owned()], ..note };
        let hook = HookCoverage {
            purpose: "file written",
            attached: Some("tracepoint writeback_mark_inode_dirty".to_owned()),
            tier: 2,
            refused: vec![("fentry rw_verify_area".to_owned(), "refused".to_owned())],
            weakens: None,
        };
        let told = told(vec![weak, note], vec![(hook, Some(Proof::Proven))]);
        assert_eq!((&told["is_well"], &told["detections"]), (&false.into(), &2.into()));
        assert_eq!(told["weakened"], serde_json::json!(["b"]), "a note weakens nothing that was asked for");
        assert_eq!(
            told["findings"][0],
            serde_json::json!({
                "section": "hooks", "check": "hook", "subject": "file system mounted", "verdict": "bad",
                "problem": "missing", "what": "nothing", "means": "not seen: mounts",
                "remedy": Problem::HookMissing.row().remedy, "weakens": ["b"],
            })
        );
        assert_eq!(told["hooks"][0]["proven"], true);
        assert_eq!(told["hooks"][0]["tier"], 2);
        assert_eq!(told["hooks"][0]["refused"][0]["attach_point"], "fentry rw_verify_area");
        assert_eq!(told["missing_offsets"][0], "sock_cookie");
        let page = include_str!("../../../../docs/check.md");
        let keys = [&told, &told["findings"][0], &told["hooks"][0], &told["hooks"][0]["refused"][0]];
        for key in keys.into_iter().flat_map(|object| object.as_object().unwrap().keys()) {
            let row = |line: &&str| line.starts_with("| `") && line.contains(key.as_str());
            assert!(page.lines().any(|line| row(&line)), "docs/check.md does not name {key}");
        }
    }
}
