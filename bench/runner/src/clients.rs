//! The clients, and what of them is alike.

use crate::workloads::{Mode, Workload};

/// Where the program comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    /// A package of this workspace.
    Cargo(&'static str),
    /// A folder in `peers/go`.
    Go(&'static str),
    Java,
}

/// How the program calls its client: only the same is compared.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Calls {
    /// One for each message.
    Message,
    /// One for many.
    Batch,
}

pub struct Client {
    pub name: &'static str,
    pub program: Program,
    pub args: &'static [&'static str],
    pub writes: Calls,
    pub reads: Calls,
    pub idempotent: bool,
    pub is_ours: bool,
    /// Whether it is only there to write.
    pub only_writes: bool,
    /// Whether its program takes `--ca`.
    pub has_tls: bool,
}

const OURS: Client = Client {
    name: "",
    program: Program::Cargo("bench-ours"),
    args: &[],
    writes: Calls::Message,
    reads: Calls::Message,
    idempotent: true,
    is_ours: true,
    only_writes: false,
    has_tls: true,
};

const OURS_BATCH: Client = Client {
    writes: Calls::Batch,
    reads: Calls::Batch,
    ..OURS
};

const PEER: Client = Client {
    is_ours: false,
    has_tls: false,
    ..OURS
};

/// The least work: no client, and left out of `x best`.
pub const FLOOR: &str = "floor";

pub const CLIENTS: &[Client] = &[
    Client {
        name: "tokio",
        args: &["--runtime", "tokio"],
        ..OURS
    },
    Client {
        name: "tokio-batch",
        args: &["--runtime", "tokio", "--api", "batch"],
        ..OURS_BATCH
    },
    Client {
        name: "tokio-plain",
        args: &[
            "--runtime",
            "tokio",
            "--api",
            "batch",
            "--idempotent",
            "false",
        ],
        idempotent: false,
        only_writes: true,
        ..OURS_BATCH
    },
    Client {
        name: "async-std",
        args: &["--runtime", "async-std"],
        ..OURS
    },
    Client {
        name: "async-std-batch",
        args: &["--runtime", "async-std", "--api", "batch"],
        ..OURS_BATCH
    },
    Client {
        name: "smol",
        args: &["--runtime", "smol"],
        ..OURS
    },
    Client {
        name: "smol-batch",
        args: &["--runtime", "smol", "--api", "batch"],
        ..OURS_BATCH
    },
    Client {
        name: "blocking",
        args: &["--runtime", "blocking"],
        ..OURS
    },
    Client {
        name: "blocking-batch",
        args: &["--runtime", "blocking", "--api", "batch"],
        ..OURS_BATCH
    },
    Client {
        name: FLOOR,
        program: Program::Cargo("bench-floor"),
        idempotent: false,
        ..PEER
    },
    Client {
        name: "rdkafka",
        program: Program::Cargo("bench-rdkafka"),
        args: &["--runtime", "callback"],
        has_tls: true,
        ..PEER
    },
    Client {
        name: "rdkafka-future",
        program: Program::Cargo("bench-rdkafka"),
        args: &["--runtime", "future"],
        has_tls: true,
        only_writes: true,
        ..PEER
    },
    Client {
        name: "rskafka",
        program: Program::Cargo("bench-rskafka"),
        writes: Calls::Batch,
        idempotent: false,
        ..PEER
    },
    Client {
        name: "krafka",
        program: Program::Cargo("bench-krafka"),
        reads: Calls::Batch,
        ..PEER
    },
    Client {
        name: "franz-go",
        program: Program::Go("franz"),
        reads: Calls::Batch,
        ..PEER
    },
    Client {
        name: "kafka-go",
        program: Program::Go("kafkago"),
        writes: Calls::Batch,
        idempotent: false,
        ..PEER
    },
    Client {
        name: "java",
        program: Program::Java,
        reads: Calls::Batch,
        ..PEER
    },
];

impl Client {
    pub fn named(name: &str) -> Option<&'static Self> {
        CLIENTS.iter().find(|client| client.name == name)
    }

    /// Whether it takes part in a workload.
    pub fn does(&self, workload: &Workload) -> bool {
        match workload.mode {
            Mode::Produce => true,
            Mode::Consume => !self.only_writes,
            // single messages are single calls: one row for each client is enough
            _ => !self.only_writes && !(self.is_ours && self.writes == Calls::Batch),
        }
    }

    /// What its row is compared with: rows of the same group.
    pub fn group(&self, mode: Mode) -> Group {
        match mode {
            Mode::Produce => Group {
                calls: Some(self.writes),
                idempotent: Some(self.idempotent),
            },
            Mode::Consume => Group {
                calls: Some(self.reads),
                idempotent: None,
            },
            _ => Group {
                calls: None,
                idempotent: None,
            },
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Group {
    pub calls: Option<Calls>,
    pub idempotent: Option<bool>,
}

impl Group {
    /// As a heading.
    pub fn title(self) -> String {
        let calls = match self.calls {
            Some(Calls::Message) => "a call for each message",
            Some(Calls::Batch) => "a call for many messages",
            None => "",
        };
        match self.idempotent {
            Some(true) => format!("{calls}, idempotent"),
            Some(false) => format!("{calls}, not idempotent"),
            None => calls.to_owned(),
        }
    }
}

pub fn list() {
    for client in CLIENTS {
        println!(
            "{:<16} {:?} {}",
            client.name,
            client.program,
            client.args.join(" ")
        );
    }
}
