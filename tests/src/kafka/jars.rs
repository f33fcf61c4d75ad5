//! The cache: the jars of each Kafka version, and the files that a formatted broker starts from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, path};

use super::error::LaunchError;
use super::folder::{read_log, remove_all, telling_part};
use super::java::{class_path, java_for, maven, tool_flags};
use super::process;
use super::properties;
use super::version::KafkaVersion;

/// What a version needs to run: its class path and, in the cache, its folder.
pub(super) struct Jars {
    pub(super) class_path: String,
    folder: PathBuf,
    version: KafkaVersion,
}

impl Jars {
    /// Finds the jars in the cache or fetches them by Maven; one fetch at a time, by all processes.
    pub(super) fn fetch(version: KafkaVersion) -> Result<Self, LaunchError> {
        let cache = cache_folder();
        let folder = cache.join(version.to_string());
        if !is_complete(&folder) {
            let _lock = lock(&cache)?;
            // Somebody may have fetched them while we waited for the lock.
            if !is_complete(&folder) {
                fetch_into(&cache, &folder, version)?;
            }
        }
        let class_path = class_path(&folder)
            .map_err(LaunchError::io(format!("listing {}", folder.display())))?;
        Ok(Self {
            class_path,
            folder,
            version,
        })
    }

    /// Whether the jars are in the cache.
    pub(super) fn are_cached(version: KafkaVersion) -> bool {
        is_complete(&cache_folder().join(version.to_string()))
    }

    /// The file that a formatted log folder holds beside its ids; made once for a version.
    ///
    /// It carries the feature levels and no id of any kind, so that a copy of it and a `meta.properties` written by hand
    /// are worth a run of the storage tool, which takes longer than the broker's start.
    pub(super) fn checkpoint(&self) -> Result<PathBuf, LaunchError> {
        let path = self.folder.join(CHECKPOINT);
        if path.exists() {
            return Ok(path);
        }
        let _lock = lock(&cache_folder())?;
        if !path.exists() {
            self.format(&path)?;
        }
        Ok(path)
    }

    fn format(&self, result: &Path) -> Result<(), LaunchError> {
        let version = self.version;
        let work = self.folder.join("format.tmp");
        let io = |e| LaunchError::io(format!("writing below {}", work.display()))(e);
        remove_all(&work).map_err(io)?;
        fs::create_dir_all(&work).map_err(io)?;
        let config = work.join("format.properties");
        let data = work.join("data");
        fs::write(&config, properties::for_format(&data)).map_err(io)?;
        let mut words = vec![java_for(version)?];
        words.extend(tool_flags());
        words.extend(
            ["-cp", &self.class_path, "kafka.tools.StorageTool", "format"].map(str::to_owned),
        );
        words.extend(["-t", properties::NO_CLUSTER, "-c"].map(str::to_owned));
        words.push(config.to_string_lossy().into_owned());
        let log = work.join("log");
        let code = process::run(&words, &log, &work, FORMAT_LIMIT).map_err(io)?;
        if code != Some(0) {
            return Err(LaunchError::Format {
                version,
                output: telling_part(&read_log(&log)),
            });
        }
        fs::rename(data.join(CHECKPOINT), result).map_err(io)?;
        remove_all(&work).map_err(io)
    }
}

/// The name that Kafka gives to the file.
pub(super) const CHECKPOINT: &str = "bootstrap.checkpoint";

/// Where jars are kept: `$KAFKA_TESTING_CACHE`, else `target/kafka` of this workspace, else the user's cache folder.
fn cache_folder() -> PathBuf {
    if let Some(folder) = env::var_os("KAFKA_TESTING_CACHE").filter(|folder| !folder.is_empty()) {
        return absolute(folder.into());
    }
    // Used from the registry, this crate does not lie in its workspace any more.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    if let Some(workspace) =
        workspace.filter(|folder| folder.join("kafka-proto/Cargo.toml").exists())
    {
        return workspace.join("target/kafka");
    }
    let user = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute());
    let user = user.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    user.unwrap_or_else(env::temp_dir).join("kafka-testing")
}

const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";
const MARKER: &str = ".complete";
const FETCH_LIMIT: Duration = Duration::from_secs(600);
const FORMAT_LIMIT: Duration = Duration::from_secs(120);

/// Copies the jars beside their place and moves them there when all have come. The caller holds the lock.
fn fetch_into(cache: &Path, folder: &Path, version: KafkaVersion) -> Result<(), LaunchError> {
    let maven = maven()?;
    let io = |e| LaunchError::io(format!("writing below {}", cache.display()))(e);
    let partial = cache.join(format!("{version}.tmp"));
    let log = cache.join(format!("{version}.log"));
    let pom = cache.join("pom.xml");
    for left_over in [&partial, folder] {
        remove_all(left_over).map_err(io)?;
    }
    fs::create_dir_all(&partial).map_err(io)?;
    fs::write(&pom, include_str!("pom.xml")).map_err(io)?;
    fs::write(&log, "").map_err(io)?;
    let words = [
        maven.to_owned(),
        "-B".to_owned(),
        "-q".to_owned(),
        // Two loggers on one class path would be one too many.
        if version.is_legacy() {
            "-Plegacy".to_owned()
        } else {
            "-Pmodern".to_owned()
        },
        "-f".to_owned(),
        pom.to_string_lossy().into_owned(),
        format!("-Dkafka.version={version}"),
        format!("-Dscala.suffix={}", version.scala_suffix()),
        PLUGIN.to_owned(),
        format!("-DoutputDirectory={}", partial.display()),
    ];
    let code = process::run(&words, &log, cache, FETCH_LIMIT).map_err(io)?;
    let broker = partial.join(format!("kafka_{}-{version}.jar", version.scala_suffix()));
    if code != Some(0) || !broker.exists() {
        let output = telling_part(&read_log(&log));
        remove_all(&partial).map_err(io)?;
        return Err(LaunchError::Fetch { version, output });
    }
    fs::write(partial.join(MARKER), "").map_err(io)?;
    fs::rename(&partial, folder).map_err(io)?;
    fs::remove_file(&log).map_err(io)
}

fn is_complete(folder: &Path) -> bool {
    folder.join(MARKER).exists()
}

/// Waits for the cache's lock, which goes with the file, whatever becomes of this process.
fn lock(cache: &Path) -> Result<File, LaunchError> {
    let io = |e| LaunchError::io(format!("locking {}", cache.display()))(e);
    fs::create_dir_all(cache).map_err(io)?;
    let file = File::options()
        .create(true)
        .append(true)
        .open(cache.join(".lock"))
        .map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

fn absolute(folder: PathBuf) -> PathBuf {
    path::absolute(&folder).unwrap_or(folder)
}
