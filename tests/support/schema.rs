//! The published schema of messages, which every message in the tests is held against.

use std::sync::LazyLock;

use anyhow::{Result, ensure};
use jsonschema::Validator;
use serde_json::Value;

const TEXT: &str = include_str!("../../docs/schema/message.schema.json");

/// None: the file is no schema, which the agent's own tests tell.
static SCHEMA: LazyLock<Option<Validator>> =
    LazyLock::new(|| jsonschema::draft202012::new(&serde_json::from_str(TEXT).ok()?).ok());

/// Holds an alert or a notice against the schema; lines of other kinds (`event`, `picture`) are none of its business.
///
/// # Errors
/// It is not as the schema says; each deviation is named.
pub fn ensure_valid(document: &Value) -> Result<()> {
    if matches!(document.get("kind").and_then(Value::as_str), Some("event" | "picture")) {
        return Ok(());
    }
    let Some(schema) = SCHEMA.as_ref() else {
        anyhow::bail!("docs/schema/message.schema.json is no JSON Schema")
    };
    let mistakes: Vec<String> = schema
        .iter_errors(document)
        .map(|error| format!("\n  at {}: {}", error.instance_path(), error.masked()))
        .collect();
    ensure!(mistakes.is_empty(), "a message is not as its schema says:{}\n{document}", mistakes.concat());
    Ok(())
}
