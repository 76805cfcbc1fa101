//! `docs/field.md` is what the table of `event/field.rs` makes of it, to the letter.
//!
//! The code is the only place where a field is described; a page that differs fails here. With
//! `TIDEWAITER_WRITE=1` the page is written instead of compared.

use std::path::PathBuf;

use sensor_user::event::field::{Category, TABLE};

const INTRODUCTION: &str = "\
# Fields of rules

This page is made from the table in `sensor-user/src/event/field.rs` and compared with it by a test. Do not
edit it. After a change of the table:

```console
$ TIDEWAITER_WRITE=1 cargo test --package tests --test replay field_table
```

A Sigma rule names a field by its Sigma name, exactly as written here. An alert carries the same fact under
its ECS name; names under `tidewaiter.` are this sensor's own. [rule.md](rule.md) says which records have
which fields.

Rules see every text as it was. What an alert or `tidewaiter events` tells has `<redacted:FORM:DIGEST>` in the places of
secrets, and `tidewaiter.redacted` counts them: [privacy.md](privacy.md).
";

/// The whole page.
fn page() -> String {
    let sources: Vec<_> =
        Category::ALL.into_iter().map(|category| format!("`linux/{}`", category.name())).collect();
    let mut page = format!("{INTRODUCTION}\nLog sources: {}.\n\n", sources.join(", "));
    page.push_str("| Sigma | ECS | Meaning |\n|---|---|---|\n");
    for (_, sigma, ecs, meaning) in TABLE {
        page.push_str(&format!("| `{sigma}` | `{ecs}` | {} |\n", meaning.replace('|', "\\|")));
    }
    page
}

#[test]
fn the_page_of_fields_says_what_the_table_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/field.md");
    let expected = page();
    if std::env::var_os("TIDEWAITER_WRITE").is_some() {
        std::fs::write(&path, &expected).expect("docs/field.md can be written");
        println!("wrote {}", path.display());
        return;
    }
    let found = std::fs::read_to_string(&path).expect("docs/field.md can be read");
    let differs = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let line = differs.map_or("its length".to_owned(), |line| format!("line {}", line + 1));
    assert!(
        found == expected,
        "docs/field.md differs from the table in {line}; write it anew with TIDEWAITER_WRITE=1"
    );
}
