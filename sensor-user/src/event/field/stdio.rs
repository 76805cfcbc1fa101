//! What the standard streams of a program are.

use sigma::Presence;

use super::{Each, Field, size, text};
use crate::state::process::Process;
use crate::state::process::stream::{Stream, StreamKind};

pub(super) fn visit(process: &Process, field: Field, each: Each<'_>) -> Presence {
    let streams = &process.session.streams;
    if field == Field::StdinType {
        kind(streams.input, each)
    } else if field == Field::StdoutType {
        kind(streams.output, each)
    } else if field == Field::StderrType {
        kind(streams.error, each)
    } else if field == Field::StdinId {
        size(streams.input.id(), each)
    } else if field == Field::StdoutId {
        size(streams.output.id(), each)
    } else if field == Field::StderrId {
        size(streams.error.id(), each)
    } else {
        Presence::Absent
    }
}

fn kind(stream: Stream, each: Each<'_>) -> Presence {
    text(stream.kind.map(StreamKind::name), each)
}
