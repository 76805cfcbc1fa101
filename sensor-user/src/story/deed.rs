//! What an event is as a step of a story, and whether it says something there.

use super::tie::Tie;
use super::{Account, GATHER, Part, Stories, StoryId, nanoseconds, past, place};
use crate::alert::Action;
use crate::event::{Body, ContainerAction, ContainerLife, Event, FileAction};

impl Stories {
    /// An event of a process of a story becomes a step, where it says something.
    pub(super) fn tell_step(&mut self, id: StoryId, event: &Event, part: Part, is_brought: bool) {
        self.restless.insert(id);
        let Some(story) = self.open.get_mut(&id) else { return };
        let account = &mut story.account;
        account.chain.note_deed(event, is_brought);
        if let Body::NetworkConnection(connection) = &event.body
            && connection.connected
            && connection.port != 0
        {
            account.connect(event.process.key, connection.socket);
        }
        if part == Part::Beside {
            if !is_told_beside(event, account) {
                return;
            }
            account.enrol(event);
            account.run(event);
        }
        let body = &event.body;
        let is_news = if let Some(flow) = body.flow() {
            account.flow(event.time, &event.process, flow)
        } else if let Some(file) = body.file().filter(|file| file.action == FileAction::Close) {
            account.close_file(event.time, &event.process, file)
        } else {
            action(event).is_some_and(|action| account.add_step(event.time, &event.process, action))
        };
        if is_news {
            if part == Part::Full {
                account.enrol(event);
            }
            story.phase.note();
        }
        story.look_at_bytes(&event.process, event.time);
        story.rise(event.time.saturating_add(nanoseconds(self.gather.unwrap_or(GATHER))));
        if let Body::FileEvent(file) = &event.body
            && matches!(file.action, FileAction::Write | FileAction::Close | FileAction::Rename)
        {
            self.tie(id, event.process.key, Tie::Writer);
        }
    }
}

/// Of a process that only belongs to the same script: what it brought in, sent, made executable or opened. Files that
/// it wrote without a connection are its own business, unless somebody runs them.
fn is_told_beside(event: &Event, account: &Account) -> bool {
    match &event.body {
        Body::FileEvent(file) => match file.action {
            FileAction::Mode | FileAction::Read => true,
            FileAction::Write | FileAction::Close | FileAction::Rename => {
                account.has_connection(event.process.key.pid) || account.names(&file.path)
            }
            FileAction::Open | FileAction::Link | FileAction::Delete => false,
        },
        Body::NetworkFlow(flow) => past::is_notable(event) && flow.bytes_sent.max(flow.bytes_received) > 0,
        Body::ProcessCreation
        | Body::ProcessAccess(_)
        | Body::NetworkConnection(_)
        | Body::NetworkSocket(_)
        | Body::DnsQuery(_)
        | Body::SystemChange(_)
        | Body::ContainerEvent(_)
        | Body::ContainerResource(_) => past::is_notable(event),
    }
}

/// What an event is as a step; none for what only names a lookup (`getaddrinfo` connects a UDP
/// socket to port 0 to learn its own address, glibc's sysdeps/posix/getaddrinfo.c).
pub(super) fn action(event: &Event) -> Option<Action> {
    Some(match &event.body {
        Body::ProcessCreation => Action::Executed { arguments: event.process.arguments.clone() },
        Body::NetworkConnection(connection) if connection.port == 0 => return None,
        Body::NetworkConnection(connection) => {
            Action::Connected { place: place(connection), direction: connection.direction }
        }
        Body::FileEvent(file) => match file.action {
            FileAction::Open => Action::Opened { path: file.path.clone() },
            FileAction::Write => Action::Wrote { path: file.path.clone(), bytes: None, size: None },
            FileAction::Rename => {
                Action::Renamed { from: file.from.clone().unwrap_or_default(), to: file.path.clone() }
            }
            FileAction::Link => {
                Action::Linked { from: file.from.clone().unwrap_or_default(), to: file.path.clone() }
            }
            FileAction::Delete => Action::Deleted { path: file.path.clone() },
            FileAction::Mode => Action::MadeExecutable { path: file.path.clone() },
            FileAction::Read => Action::Read { path: file.path.clone() },
            // It belongs to the step of its write.
            FileAction::Close => return None,
        },
        Body::ContainerEvent(ContainerLife { action: ContainerAction::End, .. })
        | Body::ContainerResource(_) => Action::Did { deed: event.deed(), object: event.object() },
        // Its first program's start says it.
        Body::ContainerEvent(ContainerLife { action: ContainerAction::Start, .. })
        | Body::ProcessAccess(_)
        | Body::NetworkFlow(_)
        | Body::NetworkSocket(_)
        | Body::DnsQuery(_)
        | Body::SystemChange(_) => return None,
    })
}
