//! What kind of thing an operation does, by its name.

use super::Class;

/// Operations that are something else than their verb says, whatever the service.
const NAMED: &[(&str, Class)] = &[
    // AWS: an attribute is how a snapshot or image is shared.
    ("modify-snapshot-attribute", Class::Share),
    ("modify-image-attribute", Class::Share),
    ("modify-fpga-image-attribute", Class::Share),
    ("modify-db-snapshot-attribute", Class::Share),
    ("modify-db-cluster-snapshot-attribute", Class::Share),
    ("put-bucket-policy", Class::Share),
    ("put-bucket-acl", Class::Share),
    ("put-object-acl", Class::Share),
    ("create-resource-share", Class::Share),
    ("associate-resource-share", Class::Share),
    ("presign", Class::Share),
    // Google and Azure: who else may read it.
    ("add-iam-policy-binding", Class::Share),
    ("set-iam-policy", Class::Share),
    ("grant-access", Class::Share),
    ("generate-sas", Class::Share),
    ("signurl", Class::Share),
    ("sign-url", Class::Share),
    // Credentials, most of which open a console.
    ("get-federation-token", Class::SignIn),
    ("get-session-token", Class::SignIn),
    ("get-signin-token", Class::SignIn),
    ("assume-role", Class::SignIn),
    ("assume-role-with-saml", Class::SignIn),
    ("assume-role-with-web-identity", Class::SignIn),
    ("get-access-token", Class::SignIn),
    ("print-access-token", Class::SignIn),
    ("print-identity-token", Class::SignIn),
    ("login", Class::SignIn),
    ("enable-region", Class::EnableRegion),
    ("put-object", Class::Upload),
    ("get-object", Class::Download),
    ("upload", Class::Upload),
    ("upload-batch", Class::Upload),
    ("download", Class::Download),
    ("download-batch", Class::Download),
    // A look inside, not a list of what there is.
    ("get-secret-value", Class::Other),
    ("get-login-password", Class::Other),
    ("get-credentials", Class::Other),
    ("start-session", Class::Other),
    ("create-tags", Class::Other),
    ("mb", Class::Create),
    ("rb", Class::Delete),
    ("rm", Class::Delete),
    ("ls", Class::List),
];

/// The first word of an operation, and what it is.
const VERBS: &[(&str, Class)] = &[
    ("create", Class::Create),
    ("run", Class::Create),
    ("launch", Class::Create),
    ("start", Class::Create),
    ("request", Class::Create),
    ("import", Class::Create),
    ("copy", Class::Create),
    ("restore", Class::Create),
    ("allocate", Class::Create),
    ("deploy", Class::Create),
    ("apply", Class::Create),
    ("delete", Class::Delete),
    ("terminate", Class::Delete),
    ("deregister", Class::Delete),
    ("remove", Class::Delete),
    ("destroy", Class::Delete),
    ("purge", Class::Delete),
    ("release", Class::Delete),
    ("stop", Class::Stop),
    ("deallocate", Class::Stop),
    ("suspend", Class::Stop),
    ("drain", Class::Stop),
    ("list", Class::List),
    ("describe", Class::List),
    ("get", Class::List),
    ("show", Class::List),
    ("head", Class::List),
    ("lookup", Class::List),
    ("search", Class::List),
];

/// The kind of an operation by its last word (`run-instances`, `create`).
pub(super) fn of(word: &str) -> Class {
    known(word).unwrap_or(Class::Other)
}

/// None: it is no verb that is known.
pub(super) fn known(word: &str) -> Option<Class> {
    let find = |table: &[(&str, Class)], word: &str| {
        table.iter().find(|(name, _)| *name == word).map(|(_, class)| *class)
    };
    find(NAMED, word).or_else(|| find(VERBS, word.split('-').next().unwrap_or(word)))
}

/// The kind of an operation that is one word of several (`RunInstances`): its first part.
pub(super) fn of_camel(word: &str) -> Class {
    let rest = word.get(1..).unwrap_or_default();
    let end = rest.find(|letter: char| letter.is_ascii_uppercase()).map_or(word.len(), |at| at + 1);
    of(&word.get(..end).unwrap_or(word).to_ascii_lowercase())
}
