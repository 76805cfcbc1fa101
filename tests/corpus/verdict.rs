//! The table of all alerts, and whether there are too many.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use tests::agent::Line;

/// Alerts of medium or graver that a day of such work may cost.
const LOUD_MAX: usize = 1;

const LOUD: [&str; 3] = ["medium", "high", "critical"];

/// Why harmless work leads to an alert of this detection: its title, and what in the corpus does it.
const EXPLAINED: [(&str, &str); 5] = [
    ("Files copied out with rsync", "the backup pushes its dump: who takes backups is listed in BackupHosts"),
    ("Files received by an rsync server", "the backup server takes the dump"),
    (
        "Archive made, then upload",
        "the backup packs its dump and pushes it: who takes backups is listed in BackupHosts",
    ),
    (
        "Download lands in a temporary or hidden place",
        "rsync's server writes under a hidden name until a file is whole",
    ),
    (
        "Package installed in a running container",
        "apt at work in a container that runs: what this rule is about",
    ),
];

/// Prints every alert and judges their number.
pub(crate) fn judge(alerts: &[Line]) -> Result<()> {
    let mut rows: BTreeMap<(&str, &str), Vec<&Line>> = BTreeMap::new();
    for alert in alerts {
        rows.entry((alert.text("rule.level"), alert.text("rule.name"))).or_default().push(alert);
    }
    println!("\n{} alerts", alerts.len());
    for ((level, title), lines) in &rows {
        println!("  {level:<13} {:>3}  {title}", lines.len());
        for line in lines {
            println!(
                "                     {}: {}",
                line.text("container.name"),
                line.text("process.command_line")
            );
        }
        match why(title) {
            Some(why) => println!("                     because {why}"),
            None => println!("                     unexplained"),
        }
    }
    let loud: Vec<&&Line> =
        rows.iter().filter(|((level, _), _)| LOUD.contains(level)).flat_map(|(_, lines)| lines).collect();
    let unexplained: Vec<&str> =
        loud.iter().map(|line| line.text("rule.name")).filter(|title| why(title).is_none()).collect();
    println!("{} of medium or graver, {LOUD_MAX} allowed", loud.len());
    ensure!(loud.len() <= LOUD_MAX, "{} alerts of medium or graver, and {LOUD_MAX} is allowed", loud.len());
    ensure!(unexplained.is_empty(), "nothing explains: {}", unexplained.join(", "));
    Ok(())
}

fn why(title: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(known, _)| *known == title).map(|(_, why)| *why)
}
