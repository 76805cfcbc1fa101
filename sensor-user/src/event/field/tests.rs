//! Names are found as rules write them.

use super::*;

#[test]
fn a_field_is_found_by_its_sigma_name_only() {
    assert_eq!(Fields.field("Image"), Some(FieldId(Field::Image as u16)));
    assert_eq!(Fields.field("image"), None);
    for (field, name, ..) in TABLE {
        assert_eq!(Fields.field(name), Some(FieldId(*field as u16)));
    }
}

#[test]
fn only_linux_endpoint_sources_are_supported() {
    let source = |category: &str, product: Option<&str>| LogSource {
        category: Some(category.to_owned()),
        product: product.map(str::to_owned),
        ..LogSource::default()
    };
    assert_eq!(Fields.supports(&source("file_event", Some("linux"))), Some(Category::FileEvent.id()));
    assert_eq!(Fields.supports(&source("file_event", None)), Some(Category::FileEvent.id()));
    assert_eq!(Fields.supports(&source("file_event", Some("windows"))), None);
    assert_eq!(Fields.supports(&source("registry_event", Some("linux"))), None);
}
