//! Builds the programs of clients.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Fault,
    clients::{Client, Program},
};

/// The folder that this program was built into, without the profile's.
pub fn target_folder() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(2)
        .map_or_else(PathBuf::new, Path::to_owned)
}

fn bench_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Builds what these clients need, each program once; with TLS, if it is wanted and theirs is optional.
pub fn all(clients: &[&Client], tls: bool) -> Result<(), Fault> {
    let mut done: Vec<Program> = Vec::new();
    for client in clients {
        if !done.contains(&client.program) {
            eprintln!("building {:?}", client.program);
            build(client.program, tls)?;
            done.push(client.program);
        }
    }
    Ok(())
}

fn build(program: Program, tls: bool) -> Result<(), Fault> {
    match program {
        Program::Cargo(package) => {
            let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut command = Command::new(cargo);
            command
                .args([
                    "build",
                    "--release",
                    "--locked",
                    "-p",
                    package,
                    "--target-dir",
                ])
                .arg(target_folder())
                .current_dir(bench_folder());
            if tls && package == "bench-rdkafka" {
                command.args(["--features", "tls"]);
            }
            run(&mut command)
        }
        Program::Go(name) => {
            let mut command = Command::new("go");
            command
                .args(["build", "-o"])
                .arg(go_program(name))
                .arg(format!("./{name}"))
                .current_dir(bench_folder().join("peers/go"));
            run(&mut command)
        }
        Program::Java => {
            let folder = java_folder();
            fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            let source = bench_folder().join("peers/java");
            if !folder.join("jars").exists() {
                let mut command = Command::new("mvn");
                command
                    .args(["-q", "-B", "-f"])
                    .arg(source.join("pom.xml"))
                    .arg("org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies")
                    .arg(format!(
                        "-DoutputDirectory={}",
                        folder.join("jars").display()
                    ));
                run(&mut command)?;
            }
            let mut command = Command::new("javac");
            command.arg("-d").arg(&folder).arg("-cp").arg(class_path());
            command.arg(source.join("Bench.java"));
            run(&mut command)
        }
    }
}

fn run(command: &mut Command) -> Result<(), Fault> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {status}")),
    }
}

fn go_program(name: &str) -> PathBuf {
    target_folder().join("bench-go").join(name)
}

fn java_folder() -> PathBuf {
    target_folder().join("bench-java")
}

fn class_path() -> OsString {
    let folder = java_folder();
    let mut path = folder.clone().into_os_string();
    path.push(":");
    path.push(folder.join("jars"));
    path.push("/*");
    path
}

/// The command that runs a client's program.
pub fn command(client: &Client) -> Command {
    let mut command = match client.program {
        Program::Cargo(package) => Command::new(target_folder().join("release").join(package)),
        Program::Go(name) => Command::new(go_program(name)),
        Program::Java => {
            let mut command = Command::new("java");
            command
                .args(["-Xmx1g", "-cp"])
                .arg(class_path())
                .arg("Bench");
            command
        }
    };
    command.args(client.args);
    command
}
