//! The workloads.

/// What the programs do; the words of their command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Produce,
    Consume,
    Latency,
    EndToEnd,
    Group,
}

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::Latency => "latency",
            Self::EndToEnd => "e2e",
            Self::Group => "group",
        }
    }
}

pub struct Workload {
    pub name: &'static str,
    pub mode: Mode,
    messages: usize,
    /// Bytes of a value.
    pub size: usize,
    pub codec: &'static str,
    pub partitions: i32,
    pub linger_ms: u64,
    /// Whether a broker that costs nothing shows more of the client.
    pub on_null: bool,
}

const fn workload(
    name: &'static str,
    mode: Mode,
    messages: usize,
    size: usize,
    codec: &'static str,
) -> Workload {
    let many = matches!(mode, Mode::Produce | Mode::Consume);
    Workload {
        name,
        mode,
        messages,
        size,
        codec,
        partitions: if many || matches!(mode, Mode::Group) {
            6
        } else {
            1
        },
        linger_ms: if matches!(mode, Mode::Produce) { 5 } else { 0 },
        on_null: many && matches!(codec.as_bytes(), b"none"),
    }
}

pub const WORKLOADS: &[Workload] = &[
    workload("P1", Mode::Produce, 3_000_000, 100, "none"),
    workload("P2", Mode::Produce, 3_000_000, 100, "lz4"),
    workload("P3", Mode::Produce, 3_000_000, 100, "zstd"),
    workload("P4", Mode::Produce, 1_000_000, 1024, "none"),
    workload("C1", Mode::Consume, 3_000_000, 100, "none"),
    workload("C2", Mode::Consume, 3_000_000, 100, "lz4"),
    workload("C4", Mode::Consume, 1_000_000, 1024, "none"),
    workload("L1", Mode::Latency, 3_000, 100, "none"),
    workload("L2", Mode::EndToEnd, 5_000, 100, "none"),
    workload("G1", Mode::Group, 6, 100, "none"),
];

impl Workload {
    /// How many messages at this scale; a multiple of six where partitions share them.
    pub fn messages(&self, scale: f64) -> usize {
        match self.mode {
            Mode::Produce | Mode::Consume => {
                let scaled = (self.messages as f64 * scale) as usize;
                (scaled / 6 * 6).max(6)
            }
            _ => self.messages,
        }
    }

    /// What is done, in words.
    pub fn title(&self) -> String {
        let what = match self.mode {
            Mode::Produce => "write",
            Mode::Consume => "read",
            Mode::Latency => "write one at a time, each awaited",
            Mode::EndToEnd => "write at 500 a second and read",
            Mode::Group => "join a group and read",
        };
        let codec = match self.codec {
            "none" => String::new(),
            codec => format!(", {codec}"),
        };
        format!("{}: {what}, {} bytes{codec}", self.name, self.size)
    }
}
