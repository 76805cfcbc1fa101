//! The public rules. They are no part of this project.

use std::path::{Path, PathBuf};

const CATEGORIES: [&str; 3] = ["process_creation", "network_connection", "file_event"];

/// The rules below `SIGMA_RULES`; without such a folder, why there are none.
pub(crate) fn texts() -> Result<Vec<String>, String> {
    let neighbour = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/sigma-rules");
    let folder = std::env::var_os("SIGMA_RULES").map_or(neighbour, PathBuf::from);
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(format!("there is no folder {folder}; set SIGMA_RULES to one with public rules"));
    }
    let mut texts = Vec::new();
    read(&folder, &mut texts);
    Ok(texts)
}

fn read(folder: &Path, texts: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether a rule is for what Linux hosts do.
pub(crate) fn is_for_linux(text: &str) -> bool {
    let has = |line: &str| text.lines().any(|found| found.trim() == line);
    has("product: linux") && CATEGORIES.iter().any(|category| has(&format!("category: {category}")))
}
