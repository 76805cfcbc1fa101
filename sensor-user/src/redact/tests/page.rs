//! The table in `docs/privacy.md` is what the code makes of it. With `TIDEWAITER_WRITE=1` it is written.

use std::fs;
use std::path::Path;

use super::*;

const HEAD: &str = "| form | what | as said by |\n|---|---|---|\n";

fn table() -> String {
    let row =
        |row: &Row| format!("| `{}` | {} | <{}> |\n", row.name, row.what.replace('|', "\\|"), row.source);
    FORMS.iter().map(row).collect()
}

#[test]
fn the_page_has_every_form_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/privacy.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(HEAD).expect("the table");
    let behind = &rest[rest.find("\n\n").map_or(0, |at| at + 1)..];
    let behind = if rest.starts_with('\n') { rest } else { behind };
    let expected = format!("{before}{HEAD}{}{behind}", table());
    if std::env::var_os("TIDEWAITER_WRITE").is_some() {
        fs::write(&path, &expected).unwrap();
        return;
    }
    assert_eq!(page, expected, "write it anew with TIDEWAITER_WRITE=1");
}

#[test]
fn every_row_is_a_form_and_names_are_told_apart() {
    for (index, row) in FORMS.iter().enumerate() {
        assert!(OwnPattern::new(row.name.to_owned(), "x".to_owned()).is_err(), "{} is taken", row.name);
        assert!(row.name.len() <= mark::NAME_MAX && row.source.starts_with("https://"), "{}", row.name);
        assert_eq!(row.form.name(), row.name);
        assert!(FORMS[..index].iter().all(|other| other.name != row.name && other.form != row.form));
    }
}
