//! Cases of the rules specification, "Condition", over a detection that they share.

use super::{Case, NO, OPEN, YES};

/// Every selection asks a field of its own; no record of a case has that of `_never`.
pub(super) const DETECTION: &str =
    "s_a:\n  Image: a\ns_b:\n  User: b\nf:\n  Product: f\n_x:\n  Company: x\n_never:\n  Hashes: x\n";

/// A condition, a record, and the answer.
pub(super) const CASES: &[Case] = &[
    ("s_a or s_b and not f and _x", &["Image=a", "Product=f"], YES),
    ("(s_a or s_b) and not f and not _x", &["Image=a", "Product=f"], NO),
    ("1 of s_* and not f and not _x", &["User=b"], YES),
    ("all of s_* and not (f or _x)", &["User=b"], NO),
    ("all of s_* and not (f or _x)", &["User=b", "Image=a"], YES),
    ("1 of them or _x", &["Company=x"], YES),
    ("1 of them and not _x", &["Company=x"], NO),
    ("2 of them or _x", &["Image=a", "Product=f"], YES),
    ("2 of them or _x", &["Product=f"], NO),
    ("not 1 of s_* and f and not _x", &["Product=f"], YES),
    ("not (s_a and s_b) and not f and not _x", &["Image=a"], YES),
    ("\n- all of s_*\n- f\n- _x", &["Product=f"], YES),
    ("\n- all of s_*\n- f\n- _x", &["Image=a"], NO),
    ("1 of *", &["Company=x"], NO),
    ("1 of _*", &["Company=x"], YES),
    ("all of _x* and s_a", &["Company=x", "Image=a"], YES),
    ("any of s_*", &["User=b"], YES),
    ("all of them", &["Image=a", "User=b", "Product=f"], YES),
    ("all of them", &["Image=a", "User=b"], NO),
    ("1 of *_b", &["User=b"], YES),
    ("1 of *_*", &["Company=x", "Product=f"], NO),
    ("not s_a and f", &["Product=f"], YES),
    ("not (s_a and f)", &["Product=f"], YES),
    ("not s_a or f", &["Image=a", "Product=f"], YES),
    ("s_a and s_b or f", &["Product=f"], YES),
    ("s_a and (s_b or f)", &["Product=f"], NO),
    ("not not f", &["Product=f"], YES),
    ("2 of *", &["Image=a", "Product~"], OPEN),
    ("1 of s_*", &["Image=a", "User~"], YES),
    ("all of s_*", &["Image=b", "User~"], NO),
];
