//! `docs/way.md`: every way, and what was seen of it on each kernel. One run makes one column; the others stay.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::judge::{Cell, Outcome};

/// What stands before each line of a column on a guest's console, as `cargo xtask vm` knows it.
pub(crate) const PREFIX: &str = "@tidewaiter way ";

const INTRODUCTION: &str = "\
# Ways

Every thing that can be done, in every way that this project knows, and what the sensor told of it. This page is made
by `tests/matrix`: the program `deed` does each thing once and tells the truth, `tidewaiter events` watches, and the two
are compared. Do not edit it. One run makes one column:

```console
# TIDEWAITER_WRITE=1 cargo xtask test live      # this machine
# TIDEWAITER_WRITE=1 cargo xtask test vm        # the lab's kernels
# TIDEWAITER_WRITE=1 cargo xtask test aarch64   # those of that machine, with the binary that is handed on
```

| word | meaning |
|---|---|
| seen | an event tells it: who did it, to what, and bytes where there are any, to the byte (UDP within 1 %) |
| seen, no bytes | the same without the bytes, which the coverage notice or the event itself said |
| accounted | no event tells it, and the coverage notice said so: in brackets its row |
| not here | this kernel or its configuration has no such way |

Anything else fails the test. Tier 1 means that no hook is missing or weakened; what the second tier misses is in
[hook.md](hook.md). Files that are written to were made by another process and are on the disk.
";

/// The machine that no title names.
const USUAL: &str = "x86_64";

/// What stands in a cell of a column that does not know the way.
const UNKNOWN: &str = "";

/// One kernel's cells.
#[derive(Debug)]
pub(crate) struct Column {
    /// The kernel and the tier.
    title: String,
    /// By action and way, in the order of `deed list`.
    cells: Vec<(String, String)>,
}

impl Column {
    pub(crate) fn new(release: &str, tier: u64, cells: &[Cell]) -> Self {
        let mut numbers = release.split(['.', '-', '+']);
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let cells = cells.iter().map(|cell| {
            let Cell { deed, outcome } = cell;
            let text = if let Outcome::Accounted(row) = outcome {
                format!("{} ({row})", outcome.word())
            } else {
                outcome.word().to_owned()
            };
            (format!("{} {}", deed.action, deed.way), text)
        });
        let machine = if ARCH == USUAL { String::new() } else { format!(", {ARCH}") };
        Self { title: format!("{major}.{minor}, tier {tier}{machine}"), cells: cells.collect() }
    }

    /// As lines: the title, then `ACTION WAY|CELL`.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let cells = self.cells.iter().map(|(way, cell)| format!("{way}|{cell}"));
        std::iter::once(self.title.clone()).chain(cells)
    }

    fn read(input: impl Read) -> Result<Self> {
        let mut lines = BufReader::new(input).lines();
        let title = lines.next().context("no column is given")??;
        let mut cells = Vec::new();
        for line in lines {
            let line = line?;
            let (way, cell) = line.split_once('|').with_context(|| format!("{line:?} is no cell"))?;
            cells.push((way.to_owned(), cell.to_owned()));
        }
        ensure!(!cells.is_empty(), "the column {title} has no cells");
        Ok(Self { title, cells })
    }
}

/// Merges a column that a guest told, without its prefixes.
pub(crate) fn merge_from(input: impl Read) -> Result<String> {
    merge(&Column::read(input)?)
}

/// Puts the column into the page, in place of an older one of the same title.
pub(crate) fn merge(column: &Column) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/way.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, page(&before, column)).with_context(|| format!("writing {}", path.display()))?;
    Ok(format!("wrote the column \"{}\" of docs/way.md", column.title))
}

/// The whole page: this column's ways in their order, then those that only others know.
fn page(before: &str, column: &Column) -> String {
    let mut columns = parse(before);
    let mut ways: Vec<String> = column.cells.iter().map(|(way, _)| way.clone()).collect();
    columns.insert(key(&column.title), (column.title.clone(), column.cells.iter().cloned().collect()));
    for (_, cells) in columns.values() {
        let others: Vec<_> = cells.keys().filter(|way| !ways.contains(way)).cloned().collect();
        ways.extend(others);
    }
    let mut page = format!("{INTRODUCTION}\n| action | way |");
    for (title, _) in columns.values() {
        write!(page, " {title} |").unwrap_or_default();
    }
    page.push_str(&format!("\n|---|---|{}\n", "---|".repeat(columns.len())));
    for way in ways {
        page.push_str(&format!("| {} |", way.replacen(' ', " | ", 1)));
        for (_, cells) in columns.values() {
            write!(page, " {} |", cells.get(&way).map_or(UNKNOWN, String::as_str)).unwrap_or_default();
        }
        page.push('\n');
    }
    page
}

/// Cells by way.
type Cells = BTreeMap<String, String>;

/// Machine, tier, then the kernel's numbers: how columns are sorted.
type Key = (String, u64, Vec<u64>);

fn key(title: &str) -> Key {
    let mut numbers =
        title.split(|letter: char| !letter.is_ascii_digit()).filter_map(|text| text.parse().ok());
    let kernel = numbers.by_ref().take(2).collect();
    let machine = title.split(", ").nth(2).unwrap_or_default();
    (machine.to_owned(), numbers.next().unwrap_or(0), kernel)
}

/// The columns of a page.
fn parse(page: &str) -> BTreeMap<Key, (String, Cells)> {
    let cells = |line: &str| -> Vec<String> {
        let inside = line.trim().trim_start_matches('|').trim_end_matches('|');
        inside.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut rows = page.lines().skip_while(|line| !line.starts_with("| action |")).map(cells);
    let Some(titles) = rows.next() else { return BTreeMap::new() };
    let mut columns: Vec<(String, Cells)> =
        titles.into_iter().skip(2).map(|title| (title, Cells::new())).collect();
    for row in rows.skip(1) {
        let [action, way, rest @ ..] = row.as_slice() else { continue };
        for ((_, column), cell) in columns.iter_mut().zip(rest) {
            if cell != UNKNOWN {
                column.insert(format!("{action} {way}"), cell.clone());
            }
        }
    }
    columns.into_iter().map(|(title, cells)| (key(&title), (title, cells))).collect()
}
