//! Finds Java and Maven, and composes what a Java program is started with.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs, io};

use super::error::LaunchError;
use super::version::KafkaVersion;

/// Finds a Java that runs `version` and returns its program.
pub(super) fn java_for(version: KafkaVersion) -> Result<String, LaunchError> {
    static FOUND: OnceLock<(String, Result<u32, String>)> = OnceLock::new();
    let (program, major) = FOUND.get_or_init(|| {
        let program = java_program();
        let major = java_major(&program);
        (program, major)
    });
    let needed = version.needs_java();
    let reason = match major {
        Ok(major) if *major >= needed => return Ok(program.clone()),
        Ok(major) => format!("version {major} is too old, kafka {version} needs {needed} or later"),
        Err(reason) => format!("{reason}; install a JDK {needed} or later, or set JAVA_HOME"),
    };
    Err(LaunchError::Missing {
        program: "java",
        reason,
    })
}

/// Finds Maven.
pub(super) fn maven() -> Result<&'static str, LaunchError> {
    const PROGRAM: &str = "mvn";
    let on_path = env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()));
    if on_path {
        return Ok(PROGRAM);
    }
    let reason =
        "not found; install Maven, it is needed once to fetch the jars of each kafka version"
            .to_owned();
    Err(LaunchError::Missing {
        program: "mvn",
        reason,
    })
}

/// What every short-lived Java program is started with: little memory and a quick start.
pub(super) fn tool_flags() -> Vec<String> {
    [
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-Xshare:auto",
    ]
    .into_iter()
    .chain(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
    .map(str::to_owned)
    .collect()
}

/// What a broker is started with; flags given later override these.
pub(super) fn broker_flags(heap_mib: u32) -> Vec<String> {
    // The serial collector and the first compiler tier alone halve the time to the first answer.
    [
        "-Xms64m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "-Dorg.slf4j.simpleLogger.logFile=System.out",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
        // These two print every setting with its value.
        "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
        // ZooKeeper 3.4 looks for the beans of log4j unless told not to.
        "-Dzookeeper.jmx.log4j.disable=true",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("-Xmx{heap_mib}m")])
    .collect()
}

/// What tells log4j 1, the logger of the versions that are [legacy](KafkaVersion::is_legacy), what to do.
pub(super) fn log4j_flag(config: &Path) -> String {
    format!("-Dlog4j.configuration=file:{}", config.display())
}

/// Has log4j 1 write to the standard output, without the values of all settings.
pub(super) const LOG4J_CONFIG: &str = "\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{HH:mm:ss.SSS} %p %m (%c)%n
log4j.logger.kafka.server.KafkaConfig=WARN
";

/// Joins the jars of a folder to a class path, in the order of their names so that it is always the same.
pub(super) fn class_path(folder: &Path) -> io::Result<String> {
    let mut jars = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jar") {
            jars.push(path.to_string_lossy().into_owned());
        }
    }
    jars.sort_unstable();
    Ok(jars.join(":"))
}

fn java_program() -> String {
    let home = env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
    match home {
        Some(program) if program.is_file() => program.to_string_lossy().into_owned(),
        _ => "java".to_owned(),
    }
}

fn java_major(program: &str) -> Result<u32, String> {
    let output = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                "not found".to_owned()
            } else {
                e.to_string()
            }
        })?;
    let text = String::from_utf8_lossy(&output.stderr);
    parse_major(&text)
        .ok_or_else(|| format!("its version can't be told from {:?}", text.lines().next()))
}

/// Reads `17` from `openjdk version "17.0.15" 2025-04-15`, and `8` from `java version "1.8.0_402"`.
fn parse_major(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(['.', '-', '+', '_']);
    match numbers.next()? {
        "1" => numbers.next()?.parse().ok(),
        major => major.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(
            parse_major("openjdk version \"17.0.15\" 2025-04-15\n"),
            Some(17)
        );
        assert_eq!(parse_major("java version \"1.8.0_402\"\n"), Some(8));
        assert_eq!(parse_major("openjdk version \"25\" 2025-09-16\n"), Some(25));
        assert_eq!(
            parse_major("openjdk version \"26-ea\" 2026-03-17\n"),
            Some(26)
        );
        assert_eq!(parse_major("sh: java: not found"), None);
    }
}
