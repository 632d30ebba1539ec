//! What machine this is, as far as results depend on it.

/// Operating system and architecture, as keys name them (`linux-x86_64`).
pub fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The level of the CPU, for rules whose results depend on it: on x86-64 one of the four levels of
/// the psABI supplement (`v1` to `v4`), elsewhere empty.
#[cfg(target_arch = "x86_64")]
pub fn cpu_level() -> &'static str {
    macro_rules! all {
        ($($feature:tt)*) => { true $(&& std::arch::is_x86_feature_detected!($feature))* };
    }
    let v2 = all!("sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b");
    let v3 = v2 && all!("avx" "avx2" "bmi1" "bmi2" "f16c" "fma" "lzcnt" "movbe");
    let v4 = v3 && all!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl");
    match (v2, v3, v4) {
        (_, _, true) => "v4",
        (_, true, _) => "v3",
        (true, ..) => "v2",
        _ => "v1",
    }
}

/// The level of the CPU: not told apart on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub fn cpu_level() -> &'static str {
    ""
}
