//! Every text of an alert that a watched process had a hand in.

use super::{Redactor, Tally};
use crate::alert::{
    Action, Alert, Correlation, Evidence, Message, Notice, Participant, Place, Step, Story, Subject,
};

impl Redactor {
    /// The message as it may be told; none: it may be told as it is.
    #[must_use]
    pub fn message(&self, message: &Message) -> Option<Message> {
        if self.is_off() {
            return None;
        }
        match message {
            Message::Alert(alert) => {
                let mut tally = self.tally();
                let mut alert = alert.clone();
                tally.alert(&mut alert);
                alert.redacted = tally.count;
                (tally.count > 0).then_some(Message::Alert(alert))
            }
            Message::Notice(Notice { subject, .. }) => match subject {
                // Of watched processes they have names of tasks and of BPF programs, of 15 bytes: no form is as
                // short. The rest are the sensor's own words, and texts of rules.
                Subject::Coverage(_)
                | Subject::Loss(_)
                | Subject::Aggregation(_)
                | Subject::Tampering(_)
                | Subject::Reload(_)
                | Subject::Cost(_)
                | Subject::Canary(_)
                | Subject::Heartbeat(_)
                | Subject::Stopped(_) => None,
            },
        }
    }
}

/// Command lines whose words are known, before and after.
type Lines = Vec<(String, String)>;

impl Tally<'_> {
    fn alert(&mut self, alert: &mut Alert) {
        let Alert {
            id: _,
            sequence: _,
            is_amendment: _,
            time: _,
            level: _,
            // Texts of rules.
            detection: _,
            correlation,
            related: _,
            story,
            // Names that a runtime, the Kubernetes API and passwd have.
            container: _,
            phase: _,
            process,
            ancestors,
            user: _,
            steps,
            steps_omitted: _,
            bytes_omitted: _,
            pending: _,
            redacted: _,
        } = alert;
        let mut lines = Lines::new();
        for process in std::iter::once(process).chain(ancestors) {
            let before = process.clone();
            self.process(process);
            if before.command_line() != process.command_line() {
                lines.push((before.command_line().to_owned(), process.command_line().to_owned()));
            }
        }
        steps.iter_mut().for_each(|step| self.step(step));
        self.story(story, &lines);
        correlation.iter_mut().for_each(|found| self.correlation(found, &lines));
    }

    fn story(&mut self, story: &mut Story, lines: &Lines) {
        let Story { id: _, alerts: _, stages: _, level: _, evidence, participants, participants_omitted: _ } =
            story;
        for Evidence { rule: _, title: _, level: _, offset: _, pid: _, count: _, correlation } in evidence {
            correlation.iter_mut().for_each(|found| self.correlation(found, lines));
        }
        for Participant { pid: _, parent: _, program, arguments } in participants {
            self.string(program);
            if let Some(redacted) = self.arguments(arguments) {
                *arguments = redacted;
            }
        }
    }

    /// What matches have in common may be a command line.
    fn correlation(&mut self, found: &mut Correlation, lines: &Lines) {
        for value in found.group.iter_mut().filter_map(|(_, value)| value.as_mut()) {
            if let Some((_, redacted)) = lines.iter().find(|(before, _)| before == value) {
                value.clone_from(redacted);
                self.count = self.count.saturating_add(1);
            } else if let Some(redacted) = self.line(value) {
                *value = redacted;
            }
        }
    }

    fn step(&mut self, step: &mut Step) {
        let Step { offset: _, pid: _, program, action } = step;
        self.string(program);
        match action {
            Action::Executed { arguments } => {
                if let Some(redacted) = self.arguments(arguments) {
                    *arguments = redacted;
                }
            }
            Action::Connected { place, direction: _ }
            | Action::Transferred { place, socket: _, bytes_sent: _, bytes_received: _ }
            | Action::Disconnected { place, bytes_sent: _, bytes_received: _ }
            | Action::Failed { place, error: _ } => {
                let Place { protocol: _, address: _, port: _, name } = place;
                self.name(name);
            }
            Action::Opened { path }
            | Action::Wrote { path, bytes: _, size: _ }
            | Action::Deleted { path }
            | Action::MadeExecutable { path }
            | Action::Read { path } => self.string(path),
            Action::Renamed { from, to } | Action::Linked { from, to } => {
                self.string(from);
                self.string(to);
            }
            Action::Did { deed: _, object } => {
                if let Some(redacted) = self.line(object) {
                    *object = redacted;
                }
            }
            Action::Exited { status: _, signal: _ } => {}
        }
    }
}
