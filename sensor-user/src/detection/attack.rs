//! The techniques of MITRE ATT&CK that rules name: version 19 of the Enterprise matrix.
//!
//! Version 19 split Defense Evasion into Stealth and Defense Impairment. A technique of one of the two keeps the old
//! tactic as an alias, since most tools that read tags still know it only. Facts are from
//! <https://attack.mitre.org/techniques/>; the descriptions there are not copied.

/// The version that the table is of.
pub const VERSION: &str = "19";

/// What an attacker is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tactic {
    InitialAccess,
    Execution,
    Persistence,
    PrivilegeEscalation,
    Stealth,
    DefenseImpairment,
    CredentialAccess,
    Discovery,
    LateralMovement,
    Collection,
    CommandAndControl,
    Exfiltration,
    Impact,
}

use Tactic::{
    Collection, CommandAndControl, CredentialAccess, DefenseImpairment, Discovery, Execution, Exfiltration,
    Impact, InitialAccess, LateralMovement, Persistence, PrivilegeEscalation, Stealth,
};

/// The tactic that version 19 split, as a tag.
const DEFENSE_EVASION: &str = "defense-evasion";

impl Tactic {
    /// As tags write it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::InitialAccess => "initial-access",
            Self::Execution => "execution",
            Self::Persistence => "persistence",
            Self::PrivilegeEscalation => "privilege-escalation",
            Self::Stealth => "stealth",
            Self::DefenseImpairment => "defense-impairment",
            Self::CredentialAccess => "credential-access",
            Self::Discovery => "discovery",
            Self::LateralMovement => "lateral-movement",
            Self::Collection => "collection",
            Self::CommandAndControl => "command-and-control",
            Self::Exfiltration => "exfiltration",
            Self::Impact => "impact",
        }
    }

    /// What it was called before version 19, where that differs.
    #[must_use]
    pub const fn former(self) -> Option<&'static str> {
        match self {
            Self::Stealth | Self::DefenseImpairment => Some(DEFENSE_EVASION),
            Self::InitialAccess
            | Self::Execution
            | Self::Persistence
            | Self::PrivilegeEscalation
            | Self::CredentialAccess
            | Self::Discovery
            | Self::LateralMovement
            | Self::Collection
            | Self::CommandAndControl
            | Self::Exfiltration
            | Self::Impact => None,
        }
    }
}

/// A technique or sub-technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// `T1105`, `T1048.003`.
    pub id: &'static str,
    /// Its own name, without its parent's.
    pub name: &'static str,
    pub tactics: &'static [Tactic],
}

impl Technique {
    /// The one of this id, in capitals.
    #[must_use]
    pub fn find(id: &str) -> Option<&'static Self> {
        TECHNIQUES.iter().find(|technique| technique.id == id)
    }

    /// What a sub-technique is a part of.
    #[must_use]
    pub fn parent(&self) -> Option<&'static Self> {
        self.id.split_once('.').and_then(|(parent, _)| Self::find(parent))
    }

    /// Whether a rule with this technique may be tagged with the tactic.
    #[must_use]
    pub fn has_tactic(&self, tag: &str) -> bool {
        self.tactics.iter().any(|tactic| tactic.tag() == tag || tactic.former() == Some(tag))
    }

    /// Its page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://attack.mitre.org/techniques/{}/", self.id.replace('.', "/"))
    }
}

const fn row(id: &'static str, name: &'static str, tactics: &'static [Tactic]) -> Technique {
    Technique { id, name, tactics }
}

/// By id.
pub const TECHNIQUES: &[Technique] = &[
    row("T1003", "OS Credential Dumping", &[CredentialAccess]),
    row("T1003.008", "/etc/passwd and /etc/shadow", &[CredentialAccess]),
    row("T1005", "Data from Local System", &[Collection]),
    row("T1020", "Automated Exfiltration", &[Exfiltration]),
    row("T1021", "Remote Services", &[LateralMovement]),
    row("T1021.004", "SSH", &[LateralMovement]),
    row("T1027", "Obfuscated Files or Information", &[Stealth]),
    row("T1029", "Scheduled Transfer", &[Exfiltration]),
    row("T1030", "Data Transfer Size Limits", &[Exfiltration]),
    row("T1036", "Masquerading", &[Stealth]),
    row("T1036.003", "Rename Legitimate Utilities", &[Stealth]),
    row("T1036.005", "Match Legitimate Resource Name or Location", &[Stealth]),
    row("T1041", "Exfiltration Over C2 Channel", &[Exfiltration]),
    row("T1046", "Network Service Discovery", &[Discovery]),
    row("T1048", "Exfiltration Over Alternative Protocol", &[Exfiltration]),
    row("T1048.001", "Exfiltration Over Symmetric Encrypted Non-C2 Protocol", &[Exfiltration]),
    row("T1048.002", "Exfiltration Over Asymmetric Encrypted Non-C2 Protocol", &[Exfiltration]),
    row("T1048.003", "Exfiltration Over Unencrypted Non-C2 Protocol", &[Exfiltration]),
    row("T1059", "Command and Scripting Interpreter", &[Execution]),
    row("T1059.001", "PowerShell", &[Execution]),
    row("T1059.004", "Unix Shell", &[Execution]),
    row("T1059.006", "Python", &[Execution]),
    row("T1069", "Permission Groups Discovery", &[Discovery]),
    row("T1069.003", "Cloud Groups", &[Discovery]),
    row("T1070", "Indicator Removal", &[Stealth]),
    row("T1070.002", "Clear Linux or Mac System Logs", &[Stealth]),
    row("T1070.003", "Clear Command History", &[Stealth]),
    row("T1070.004", "File Deletion", &[Stealth]),
    row("T1071", "Application Layer Protocol", &[CommandAndControl]),
    row("T1071.001", "Web Protocols", &[CommandAndControl]),
    row("T1071.004", "DNS", &[CommandAndControl]),
    row("T1074", "Data Staged", &[Collection]),
    row("T1074.001", "Local Data Staging", &[Collection]),
    row("T1074.002", "Remote Data Staging", &[Collection]),
    row("T1078", "Valid Accounts", &[InitialAccess, Persistence, PrivilegeEscalation, Stealth]),
    row("T1078.004", "Cloud Accounts", &[InitialAccess, Persistence, PrivilegeEscalation, Stealth]),
    row("T1087", "Account Discovery", &[Discovery]),
    row("T1087.004", "Cloud Account", &[Discovery]),
    row("T1090", "Proxy", &[CommandAndControl]),
    row("T1090.001", "Internal Proxy", &[CommandAndControl]),
    row("T1090.002", "External Proxy", &[CommandAndControl]),
    row("T1090.003", "Multi-hop Proxy", &[CommandAndControl]),
    row("T1095", "Non-Application Layer Protocol", &[CommandAndControl]),
    row("T1098", "Account Manipulation", &[Persistence, PrivilegeEscalation]),
    row("T1098.001", "Additional Cloud Credentials", &[Persistence, PrivilegeEscalation]),
    row("T1098.004", "SSH Authorized Keys", &[Persistence, PrivilegeEscalation]),
    row("T1102", "Web Service", &[CommandAndControl]),
    row("T1105", "Ingress Tool Transfer", &[CommandAndControl]),
    row("T1119", "Automated Collection", &[Collection]),
    row("T1132", "Data Encoding", &[CommandAndControl]),
    row("T1132.001", "Standard Encoding", &[CommandAndControl]),
    row("T1140", "Deobfuscate/Decode Files or Information", &[Stealth]),
    row("T1204", "User Execution", &[Execution]),
    row("T1204.003", "Malicious Image", &[Execution]),
    row("T1213", "Data from Information Repositories", &[Collection]),
    row("T1213.006", "Databases", &[Collection]),
    row("T1219", "Remote Access Tools", &[CommandAndControl]),
    row("T1485", "Data Destruction", &[Impact]),
    row("T1489", "Service Stop", &[Impact]),
    row("T1496", "Resource Hijacking", &[Impact]),
    row("T1496.001", "Compute Hijacking", &[Impact]),
    row("T1496.002", "Bandwidth Hijacking", &[Impact]),
    row("T1525", "Implant Internal Image", &[Persistence]),
    row("T1526", "Cloud Service Discovery", &[Discovery]),
    row("T1528", "Steal Application Access Token", &[CredentialAccess]),
    row("T1530", "Data from Cloud Storage", &[Collection]),
    row("T1535", "Unused/Unsupported Cloud Regions", &[Stealth]),
    row("T1537", "Transfer Data to Cloud Account", &[Exfiltration]),
    row("T1538", "Cloud Service Dashboard", &[Discovery]),
    row("T1552", "Unsecured Credentials", &[CredentialAccess]),
    row("T1552.001", "Credentials In Files", &[CredentialAccess]),
    row("T1552.004", "Private Keys", &[CredentialAccess]),
    row("T1552.005", "Cloud Instance Metadata API", &[CredentialAccess]),
    row("T1552.007", "Container API", &[CredentialAccess]),
    row("T1560", "Archive Collected Data", &[Collection]),
    row("T1560.001", "Archive via Utility", &[Collection]),
    row("T1564", "Hide Artifacts", &[Stealth]),
    row("T1564.001", "Hidden Files and Directories", &[Stealth]),
    row("T1567", "Exfiltration Over Web Service", &[Exfiltration]),
    row("T1567.001", "Exfiltration to Code Repository", &[Exfiltration]),
    row("T1567.002", "Exfiltration to Cloud Storage", &[Exfiltration]),
    row("T1567.003", "Exfiltration to Text Storage Sites", &[Exfiltration]),
    row("T1567.004", "Exfiltration Over Webhook", &[Exfiltration]),
    row("T1570", "Lateral Tool Transfer", &[LateralMovement]),
    row("T1571", "Non-Standard Port", &[CommandAndControl]),
    row("T1572", "Protocol Tunneling", &[CommandAndControl]),
    row("T1573", "Encrypted Channel", &[CommandAndControl]),
    row("T1573.002", "Asymmetric Cryptography", &[CommandAndControl]),
    row("T1578", "Modify Cloud Compute Infrastructure", &[DefenseImpairment]),
    row("T1578.001", "Create Snapshot", &[DefenseImpairment]),
    row("T1578.002", "Create Cloud Instance", &[DefenseImpairment]),
    row("T1578.003", "Delete Cloud Instance", &[DefenseImpairment]),
    row("T1578.005", "Modify Cloud Compute Configurations", &[DefenseImpairment]),
    row("T1580", "Cloud Infrastructure Discovery", &[Discovery]),
    row("T1609", "Container Administration Command", &[Execution]),
    row("T1610", "Deploy Container", &[Execution]),
    row("T1611", "Escape to Host", &[PrivilegeEscalation]),
    row("T1613", "Container and Resource Discovery", &[Discovery]),
    row("T1619", "Cloud Storage Object Discovery", &[Discovery]),
    row("T1620", "Reflective Code Loading", &[Stealth]),
    row("T1651", "Cloud Administration Command", &[Execution]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_order_and_every_sub_technique_has_its_parent() {
        assert!(TECHNIQUES.is_sorted_by(|one, other| one.id < other.id));
        for technique in TECHNIQUES {
            assert_eq!(technique.id.contains('.'), technique.parent().is_some(), "{}", technique.id);
            assert!(!technique.tactics.is_empty(), "{}", technique.id);
        }
    }

    #[test]
    fn what_version_19_moved_may_keep_its_old_tactic() {
        let region = Technique::find("T1535").unwrap();
        assert!(region.has_tactic("stealth") && region.has_tactic("defense-evasion"));
        assert!(!region.has_tactic("defense-impairment"));
        let deletion = Technique::find("T1578.003").unwrap();
        assert!(deletion.has_tactic("defense-impairment") && deletion.has_tactic("defense-evasion"));
        assert_eq!(deletion.url(), "https://attack.mitre.org/techniques/T1578/003/");
        assert!(!Technique::find("T1105").unwrap().has_tactic("defense-evasion"));
    }
}
