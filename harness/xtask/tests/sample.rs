//! The bundled sample is what its generator makes.

#[test]
fn the_files_under_version_control_are_what_the_generator_makes() {
    let directory = xtask::root().join("data/quickstart");
    for (name, text) in xtask::sample::files() {
        let found = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert!(found == text, "`data/quickstart/{name}` differs; `cargo xtask sample-data` writes it again");
        assert!(text.len() < 100 * 1024, "`{name}` has {} bytes", text.len());
    }
}
