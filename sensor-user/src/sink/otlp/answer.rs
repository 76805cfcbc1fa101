//! What an OTLP receiver's answer means (OTLP specification 1.9.0, "OTLP/gRPC Response" and "OTLP/HTTP Response").

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use prost::Message as _;
use tonic::Code;

use super::message::{ExportLogsServiceResponse, RetryInfo, RpcStatus};
use crate::sink::http::{Answer, Verdict, reason, told};

/// What [`CONTENT_TYPE`] says of protobuf over HTTP.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

/// What stands before a message of gRPC: whether it is compressed, and its length in four bytes (gRPC over HTTP/2,
/// "Length-Prefixed-Message").
pub(super) const PREFIX: usize = 5;

/// Longest pause that a receiver may ask for, as for every receiver over HTTP.
const RETRY_MAX: Duration = Duration::from_secs(300);

/// The type of the detail that asks for a pause.
const RETRY_INFO: &str = "google.rpc.RetryInfo";

/// Over HTTP. Only four statuses are for later, and redirections, which say nothing of the messages.
pub(super) fn over_http(answer: &Answer) -> Verdict {
    let status = answer.status;
    if status.is_success() {
        // A body that is no such message comes from something between that took the request all the same.
        return ExportLogsServiceResponse::decode(answer.body.as_slice()).map_or(Verdict::Taken, taken);
    }
    let is_for_later = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let reason = said(answer);
    if is_for_later || status.is_redirection() {
        Verdict::Later { reason, after: answer.retry_after(Timestamp::now()) }
    } else {
        Verdict::Refused { reason }
    }
}

/// Over gRPC: the status stands behind the body, or in the head where there is none.
pub(super) fn over_grpc(answer: &Answer) -> Verdict {
    let headers = if answer.trailers.is_empty() { &answer.headers } else { &answer.trailers };
    let Some(status) = tonic::Status::from_header_map(headers) else {
        return without_status(answer);
    };
    if status.code() == Code::Ok {
        let message = answer.body.get(PREFIX..).unwrap_or_default();
        return ExportLogsServiceResponse::decode(message).map_or(Verdict::Taken, taken);
    }
    let said = told(status.message());
    let code = status.code();
    let reason = format!(
        "it answers {code:?} ({}){}{said}",
        code.description(),
        if said.is_empty() { "" } else { ": " }
    );
    let after = retry_info(status.details());
    let is_for_later = match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        // Only where the receiver says that it will recover.
        Code::ResourceExhausted => after.is_some(),
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => false,
    };
    if is_for_later { Verdict::Later { reason, after } } else { Verdict::Refused { reason } }
}

/// Something between answers in the place of the receiver: by the table of gRPC's own (`http-grpc-status-mapping.md`) all
/// but a few of its statuses are for good; what has none and no error is no gRPC at all.
fn without_status(answer: &Answer) -> Verdict {
    let status = answer.status;
    if status.is_success() {
        let reason =
            "it answers without a status of gRPC: name a receiver of OTLP over gRPC, usually port 4317";
        return Verdict::Later { reason: reason.to_owned(), after: None };
    }
    over_http(answer)
}

fn taken(response: ExportLogsServiceResponse) -> Verdict {
    match response.partial_success {
        Some(partial) if partial.rejected_log_records > 0 => Verdict::Part {
            rejected: u64::try_from(partial.rejected_log_records).unwrap_or(0),
            reason: told(&partial.error_message),
        },
        Some(_) | None => Verdict::Taken,
    }
}

/// The reason, with what the receiver says of it in a `google.rpc.Status`.
fn said(answer: &Answer) -> String {
    let text = reason(answer);
    let is_protobuf = answer.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == PROTOBUF);
    match RpcStatus::decode(answer.body.as_slice()) {
        Ok(status) if is_protobuf && !status.message.is_empty() => {
            format!("{text}: {}", told(&status.message))
        }
        Ok(_) | Err(_) => text,
    }
}

/// The pause that the details of a status ask for.
fn retry_info(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let detail = status.details.iter().find(|detail| detail.type_url.ends_with(RETRY_INFO))?;
    let delay = RetryInfo::decode(detail.value.as_slice()).ok()?.retry_delay?;
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::new(seconds, nanos.min(999_999_999)).min(RETRY_MAX))
}
