//! A rule as this test looks at it: its text for the evaluators, its items for making events and for judging.

use serde_json::Value;

/// `Field|modifiers: values`.
#[derive(Debug)]
pub(crate) struct Item {
    /// Empty: keywords.
    pub(crate) field: String,
    pub(crate) modifiers: Vec<String>,
    pub(crate) values: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    /// What the evaluators read.
    pub(crate) text: String,
    pub(crate) items: Vec<Item>,
}

impl Item {
    pub(crate) fn has(&self, modifier: &str) -> bool {
        self.modifiers.iter().any(|found| found == modifier)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter_map(Value::as_str)
    }
}

impl Rule {
    pub(crate) fn read(text: String) -> Self {
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        let detection = document["detection"].as_object().unwrap();
        let mut items = Vec::new();
        for (_, selection) in detection.iter().filter(|(name, _)| *name != "condition") {
            gather(selection, &mut items);
        }
        let id = document["id"].as_str().unwrap().to_owned();
        Self { id, text, items }
    }

    /// A rule of this detection, for Linux processes.
    pub(crate) fn made(number: usize, detection: &Value) -> Self {
        let document = serde_json::json!({
            "title": format!("generated {number}"),
            "id": format!("{number:08x}-0000-4000-8000-000000000000"),
            "logsource": { "product": "linux", "category": "process_creation" },
            "detection": detection,
            "level": "low",
        });
        Self::read(document.to_string()) // JSON is YAML
    }
}

fn gather(selection: &Value, items: &mut Vec<Item>) {
    match selection {
        Value::Object(map) => items.extend(map.iter().map(|(key, values)| item(key, values))),
        Value::Array(list) => list.iter().for_each(|part| gather(part, items)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => items.push(item("", selection)),
    }
}

fn item(key: &str, values: &Value) -> Item {
    let mut parts = key.split('|').map(str::to_owned);
    let field = parts.next().unwrap_or_default();
    let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
    Item { field, modifiers: parts.collect(), values }
}
