//! Words and maps of the configuration.

use super::*;
use crate::sink::otlp::Body;

fn read(text: &str) -> Result<OtlpTarget, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn reads_and_shows() {
    for (text, shown) in [
        ("http://h", "http://h:4318/v1/logs"),
        ("http://h/", "http://h:4318/v1/logs"),
        ("https://h:443/otlp/v1/logs", "https://h:443/otlp/v1…"),
        ("grpc://h", "grpc://h:4317"),
        ("grpcs://h:443/", "grpcs://h:443"),
        ("grpc://[::1]", "grpc://[::1]:4317"),
    ] {
        let target: OtlpTarget = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(target.to_string().starts_with(shown), "{target}");
        assert_eq!(read(&format!("{{url: \"{text}\"}}")), Ok(target));
    }
    let all = read("url: grpcs://h\nbody: document\ntoken_file: /t\nca: /a\nfingerprint: \"sha256:00\"\n");
    assert!(all.unwrap_err().contains("`sha256:00` is no fingerprint"));
    assert_eq!(read("{url: grpcs://h, body: document, token_file: /t}").unwrap().body, Body::Document);
}

#[test]
fn refuses_with_the_reason() {
    for (text, reason) in [
        ("tcp://h", "write http://HOST:PORT or https://HOST:PORT or grpc://HOST:PORT or grpcs://HOST:PORT"),
        ("grpc://h/v1/logs", "only the host and its port are to be said: write grpc://HOST:PORT"),
        (
            "{url: \"grpc://h\", ca: /a}",
            "`ca` says how to trust grpc://, which is sent to in the clear: write grpcs://",
        ),
        (
            "{url: \"grpc://h\", token_file: /a}",
            "`token_file` would go to grpc:// in the clear: write grpcs://",
        ),
        ("{url: \"http://h\", body: text}", "text"),
        ("{url: \"http://h\", format: ecs}", "format"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(reason), "{text}: {error}");
    }
}
