//! Where a rule's events come from, as the rule names it. What a name stands for is the host's.

use std::fmt;

use serde::Serialize;

/// The `logsource` of a rule (rules specification, "Log Source").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct LogSource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Advice to people on how to configure the source; never evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

impl fmt::Display for LogSource {
    /// `linux/process_creation`: the named parts, widest first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.product, &self.service, &self.category];
        for (index, part) in parts.into_iter().flatten().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}
