//! Which instruction sets this machine has, and which of them is used.

/// Instruction sets that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// An instruction set that this machine has. Values come from [`Isa::best`], [`Isa::named`] and [`Isa::available`] alone, so
/// that holding one proves that its instructions can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Instructions);

impl Isa {
    /// The fastest one of this machine.
    pub fn best() -> Isa {
        Self::available()[0]
    }

    /// The one of that name, if this machine has it.
    pub fn named(name: &str) -> Option<Isa> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// All that this machine has, the fastest first. The last needs nothing special; it is slow where fused
    /// multiply-adds are done in software.
    pub fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                found.push(Isa(Instructions::Avx512));
            }
            // All machines with the first have the others; a system that hides one of them is believed.
            let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if has && is_x86_feature_detected!("f16c") {
                found.push(Isa(Instructions::Avx2));
            }
        }
        found.push(Isa(Instructions::Portable));
        found
    }

    /// Its name: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            Instructions::Portable => "portable",
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn is_avx512(self) -> bool {
        self.0 == Instructions::Avx512
    }

    /// Whether products of whole numbers of 8 bits take less time than those of 32 bits.
    pub fn gains_from_bytes(self) -> bool {
        self.0 != Instructions::Portable
    }

    /// The same one, or the next smaller one if this AVX-512 has no products of bytes.
    pub(crate) fn with_products_of_bytes(self) -> Isa {
        #[cfg(target_arch = "x86_64")]
        if self.is_avx512() && !(is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni")) {
            return Self::available()[1];
        }
        self
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn is_avx2(self) -> bool {
        self.0 == Instructions::Avx2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_set_that_has_it_if_the_machine_does() {
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Some(isa));
        }
        assert_eq!(Isa::named("portable").map(Isa::name), Some("portable"));
        assert_eq!(Isa::named("AVX2"), None);
    }

    /// The tests of the kernels go through what this machine has. What it lacks is reported, so that it is not taken for tested.
    #[test]
    fn instruction_sets_that_are_not_tested_here_are_named() {
        let available = Isa::available();
        assert_eq!(available.last(), Some(&Isa(Instructions::Portable)));
        #[cfg(target_arch = "x86_64")]
        for instructions in [Instructions::Avx512, Instructions::Avx2] {
            if !available.contains(&Isa(instructions)) {
                examiner_test_support::skipped(&format!(
                    "this machine lacks {instructions:?}, whose kernels are not run"
                ));
            }
        }
    }
}
