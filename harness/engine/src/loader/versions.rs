//! What is said of a plugin that was built with another interface than the program's.

use examiner_api::INTERFACE;

/// Names both sides, and the command that brings them together. `plugin` and `program` are their versions of `examiner-api`.
pub(super) fn other_interface(plugin: &str, interface: Option<u32>, program: &str) -> String {
    let built = match interface {
        Some(interface) => format!("plugin interface {interface}"),
        None => "an earlier plugin interface, without a number".to_owned(),
    };
    let rebuild = match within_requirement(plugin, program) {
        true => format!("`cargo update -p examiner-api --precise {program} && cargo build --release`"),
        false => format!("write `examiner-api = \"{program}\"` into its `Cargo.toml`, then `cargo build --release`"),
    };
    let advice = match interface {
        Some(interface) if interface > INTERFACE => {
            format!("use a newer program, or build the plugin for this one: {rebuild}")
        }
        _ => format!("build it again: {rebuild}"),
    };
    format!(
        "was built with {built} (`examiner-api` {plugin}), this program has plugin interface {INTERFACE} (`examiner-api` {program}); \
         {advice}"
    )
}

/// Whether a manifest that asks for the plugin's version lets Cargo take the program's: the caret rule.
fn within_requirement(plugin: &str, program: &str) -> bool {
    let numbers = |text: &str| -> Option<[u64; 3]> {
        let parts: Vec<u64> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        parts.try_into().ok()
    };
    let (Some(plugin), Some(program)) = (numbers(plugin), numbers(program)) else { return false };
    let fixed = 1 + program.iter().take(2).take_while(|number| **number == 0).count();
    plugin[..fixed] == program[..fixed] && plugin <= program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_to_update_only_where_it_would() {
        for (plugin, program, fits) in [
            ("0.2.0", "0.2.3", true),
            ("0.2.3", "0.2.0", false),
            ("0.2.0", "0.3.0", false),
            ("0.0.1", "0.0.2", false),
            ("1.4.0", "1.5.0", true),
            ("1.5.0", "1.4.0", false),
            ("1.0.0", "2.0.0", false),
            ("0.2.0", "1.2.0", false),
            ("nonsense", "1.4.0", false),
        ] {
            assert_eq!(within_requirement(plugin, program), fits, "{plugin} in {program}");
        }
    }

    #[test]
    fn both_versions_and_a_command_that_works_are_named() {
        let said = other_interface("0.2.0", None, "0.2.4");
        assert!(said.contains("an earlier plugin interface, without a number (`examiner-api` 0.2.0)"), "{said}");
        assert!(
            said.ends_with("build it again: `cargo update -p examiner-api --precise 0.2.4 && cargo build --release`")
        );
        let said = other_interface("9.1.0", Some(INTERFACE + 1), "0.2.4");
        assert!(said.contains(&format!("plugin interface {} (`examiner-api` 9.1.0)", INTERFACE + 1)), "{said}");
        assert!(
            said.contains("use a newer program, or build the plugin for this one: write `examiner-api = \"0.2.4\"`")
        );
    }
}
