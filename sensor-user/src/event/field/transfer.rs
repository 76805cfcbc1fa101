//! What a command line asks to be moved.

use sigma::{Presence, Value};

use super::{Each, Field, all, number, one, text};
use crate::command::transfer::{Direction, Transfer};

/// All that are told of a transfer.
pub(in crate::event) const FIELDS: [Field; 11] = [
    Field::TransferTool,
    Field::TransferRole,
    Field::TransferDirection,
    Field::TransferScheme,
    Field::TransferRemote,
    Field::TransferRemoteHost,
    Field::TransferRemotePort,
    Field::TransferRemoteUser,
    Field::TransferLoopback,
    Field::TransferLocal,
    Field::TransferListens,
];

#[expect(clippy::wildcard_enum_match_arm, reason = "asked for these fields only")]
pub(in crate::event) fn visit(transfer: &Transfer, field: Field, each: Each<'_>) -> Presence {
    let remotes = transfer.remotes.iter();
    match field {
        Field::TransferTool => one(Value::Text(transfer.tool), each),
        Field::TransferRole => one(Value::Text(transfer.role.name()), each),
        Field::TransferDirection => text(transfer.direction.map(Direction::name), each),
        Field::TransferScheme => all(transfer.schemes.iter().map(|scheme| Value::Text(scheme)), each),
        Field::TransferRemote => all(remotes.map(|remote| Value::Text(&remote.text)), each),
        Field::TransferRemoteHost => {
            all(remotes.flat_map(|remote| &remote.host).map(|host| Value::Text(host)), each)
        }
        Field::TransferRemotePort => {
            let mut presence = Presence::Absent;
            for port in remotes.filter_map(|remote| remote.port) {
                presence = number(port.into(), each);
            }
            presence
        }
        Field::TransferRemoteUser => {
            all(remotes.flat_map(|remote| &remote.user).map(|user| Value::Text(user)), each)
        }
        Field::TransferLoopback => {
            transfer.loopback().map_or(Presence::Absent, |is| one(Value::Bool(is), each))
        }
        Field::TransferLocal => all(transfer.locals.iter().map(|local| Value::Text(local)), each),
        Field::TransferListens => one(Value::Bool(transfer.listens), each),
        _ => Presence::Absent,
    }
}
