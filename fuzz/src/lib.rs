//! What all targets share.

/// Runs `body` and insists that it never holds more memory than `times` the input and `fixed` bytes.
pub fn bounded(data: &[u8], times: u64, fixed: u64, body: fn(&[u8])) {
    let memory = allocation_counter::measure(|| body(data));
    let allowed = times * data.len() as u64 + fixed;
    assert!(
        memory.bytes_max <= allowed,
        "{} bytes for {}",
        memory.bytes_max,
        data.len()
    );
}
