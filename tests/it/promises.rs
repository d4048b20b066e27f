//! docs/security.md names the tests that hold the promises: they are there.

use std::path::Path;

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/security.md")).expect("docs/security.md");
    let mut named = 0;
    for word in text.split('`').skip(1).step_by(2) {
        let Some((module, test)) = word.split_once("::") else { continue };
        let file = root.join(format!("tests/it/{module}.rs"));
        let source =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{word}: {}: {error}", file.display()));
        assert!(source.contains(&format!("fn {test}(")), "{word} is not there");
        named += 1;
    }
    assert!(named > 20, "only {named} are named");
}
