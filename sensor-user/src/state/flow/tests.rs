//! Who moved what: transfers as records and rows tell them.
