//! Counts instructions: this program again, under valgrind.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::region::{COUNTED, EXCLUDED};

/// What takes the machine out of the count: glibc chooses its copy routines by what the processor can do and by the size
/// of its caches, and valgrind tells it both.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX_Usable,-AVX2_Usable,-AVX2,-AVX,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load,-SSSE3,\
                        -Fast_Copy_Backward,-Prefer_ERMS,-Prefer_FSRM:\
                        glibc.cpu.x86_non_temporal_threshold=0xc0000:\
                        glibc.cpu.x86_rep_movsb_threshold=0x800:\
                        glibc.cpu.x86_rep_stosb_threshold=0x800";

/// Instructions of a case's region, and the file with the profile of it.
///
/// Each case has a process of its own, so that none depends on what others leave in the heap.
pub(crate) fn instructions(case: &str) -> Result<(u64, PathBuf), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counts");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let words = case.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let out = folder.join(words.join("-"));
    // what is dumped after the region; what is dumped at the end has nothing
    let profile = out.with_extension("1");
    let _ = fs::remove_file(&profile);
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--toggle-collect={EXCLUDED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(program)
        .args(["run", case])
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()
        .map_err(|e| format!("valgrind: {e} (Debian: apt-get install valgrind)"))?;
    let failed = |what: String| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{case}: {what}\n{said}")
    };
    if !output.status.success() {
        return Err(failed(format!("valgrind: {}", output.status)));
    }
    let text = fs::read_to_string(&profile)
        .map_err(|e| failed(format!("no profile {}: {e}", profile.display())))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.and_then(|n| n.trim().parse().ok()) {
        Some(total) if total > 0 => Ok((total, profile)),
        _ => Err(failed(format!("{} counts nothing", profile.display()))),
    }
}

/// What the figures depend on besides our code: instructions are compared under the same tools only.
pub(crate) fn tools() -> String {
    let first_line = |program: &str, arg: &str| {
        let output = Command::new(program).arg(arg).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.lines().next()?.trim().to_owned())
    };
    let or_none = |tool: Option<String>, name: &str| tool.unwrap_or_else(|| format!("no {name}"));
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    format!(
        "{}, {}, {}, {}",
        or_none(first_line(&rustc, "--version"), "rustc"),
        or_none(first_line("valgrind", "--version"), "valgrind"),
        or_none(first_line("getconf", "GNU_LIBC_VERSION"), "glibc"),
        env::consts::ARCH
    )
}
