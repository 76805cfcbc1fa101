//! What an OTLP receiver's answer means (OTLP specification 1.9.0, "OTLP/gRPC Response" and "OTLP/HTTP Response").

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderName, StatusCode};
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

/// Where details of a status stand (gRPC over HTTP/2, "Status-Details").
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Base64 with or without padding: both are read (gRPC over HTTP/2, "Binary-Header").
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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
    let Some((status, details)) = status(headers) else {
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
    let after = retry_info(&details);
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

/// The status of a call, and its details. These are read here: tonic 0.14.9 panics where they are no base64
/// (`Status::from_header_map`), and whoever answers in the receiver's place chooses them.
fn status(headers: &HeaderMap) -> Option<(tonic::Status, Vec<u8>)> {
    let details = headers.get(DETAILS).and_then(|details| BASE64.decode(details).ok()).unwrap_or_default();
    let mut headers = headers.clone();
    headers.remove(DETAILS);
    Some((tonic::Status::from_header_map(&headers)?, details))
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

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::{HeaderName, HeaderValue, RETRY_AFTER};

    use super::*;
    use crate::sink::otlp::message::{RpcAny, RpcDuration};

    #[test]
    fn details_that_are_none_are_no_details() {
        let refusal = |details: &str| {
            let mut answer = Answer::new(StatusCode::OK, HeaderMap::new());
            answer.trailers.insert("grpc-status", HeaderValue::from_static("8"));
            answer.trailers.insert(DETAILS, HeaderValue::from_str(details).unwrap());
            over_grpc(&answer)
        };
        let delay = RetryInfo { retry_delay: Some(RpcDuration { seconds: 7, nanos: 0 }) };
        let detail = RpcAny { type_url: RETRY_INFO.to_owned(), value: delay.encode_to_vec() };
        let pause = RpcStatus { details: vec![detail], ..RpcStatus::default() }.encode_to_vec();
        for details in [BASE64.encode(&pause), BASE64.encode(&pause).trim_end_matches('=').to_owned()] {
            assert!(matches!(refusal(&details), Verdict::Later { after: Some(_), .. }), "{details}");
        }
        for details in ["", "!", "not here", "AAA\t", "CgA"] {
            assert!(matches!(refusal(details), Verdict::Refused { .. }), "{details}");
        }
    }

    /// Whether a verdict asks for a pause that is too long, or tells what no line may hold.
    fn is_safe(verdict: &Verdict) -> bool {
        let (reason, after) = match verdict {
            Verdict::Taken => return true,
            Verdict::Part { reason, .. } | Verdict::Refused { reason } => (reason, None),
            Verdict::Later { reason, after } => (reason, *after),
        };
        !reason.contains(char::is_control) && after.is_none_or(|after| after <= RETRY_MAX)
    }

    /// Status, what stands in the head, and a body: as a receiver may send all of them.
    #[test]
    fn fuzzed_answers_are_judged() {
        let refused = RpcStatus { message: "full".to_owned(), details: Vec::new() };
        let response = ExportLogsServiceResponse::default();
        let seeds = [
            refused.encode_to_vec(),
            [&[0; PREFIX][..], &response.encode_to_vec()].concat(),
            b"\x0a\x09\x08\x07\x12\x05wrong".to_vec(),
            b"not here".to_vec(),
        ];
        let heads = [
            CONTENT_TYPE.as_str(),
            RETRY_AFTER.as_str(),
            "grpc-status",
            "grpc-message",
            "grpc-status-details-bin",
        ];
        crate::fuzz::run(&seeds, |bytes, dice| {
            let status = u16::try_from(100 + dice.roll(900)).unwrap();
            let mut answer = Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new());
            for name in heads {
                let value = match dice.roll(4) {
                    0 => HeaderValue::from_bytes(bytes.get(..bytes.len().min(40)).unwrap_or_default()).ok(),
                    1 => Some(HeaderValue::from_static(PROTOBUF)),
                    2 => Some(HeaderValue::from(dice.roll(20))),
                    _ => None,
                };
                let headers = if dice.roll(2) == 0 { &mut answer.headers } else { &mut answer.trailers };
                headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
            }
            answer.body = bytes.to_vec();
            for verdict in [over_http(&answer), over_grpc(&answer)] {
                assert!(is_safe(&verdict), "{verdict:?}");
            }
        });
    }
}
