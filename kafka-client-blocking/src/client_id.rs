//! How a client is called that nobody has named.

use std::{env, fs, path::Path};

/// The name of a client that was given none: `program@host (CRATE)`.
///
/// The host is what `HOSTNAME` says, or the kernel. Source: acceptance CT-09.
#[doc(alias = "DefaultClientID")]
pub fn default_client_id() -> String {
    let program = env::args_os().next().and_then(|path| {
        let name = Path::new(&path).file_name()?;
        Some(name.to_string_lossy().into_owned())
    });
    let kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = env::var("HOSTNAME").ok().or_else(kernel);
    let known = |name: Option<String>| {
        let name = name.map(|name| name.trim().to_owned());
        name.filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let crate_name = env!("CARGO_PKG_NAME");
    format!("{}@{} ({crate_name})", known(program), known(host))
}
