//! Programs started: every way for a process to become another program.
//!
//! The program is this one, as `deed noop MARKER`: it tells its own id, executable and arguments, so the
//! truth comes from what really runs. A child does the exec, because this process has to tell of it.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create};
use rustix::process::Pid;

use crate::child::{self, wait};
use crate::place::Place;
use crate::request::Request;
use crate::sys;
use crate::sys::compat::Gate;
use crate::table::{Deed, deed};
use crate::truth::{Missing, Truth};

pub(crate) const DEEDS: &[Deed] = &[
    deed("exec", "execve", |request| run(request, |_, marker| Exec::of(&own()?, marker, execve))),
    deed("exec", "execveat", |request| run(request, execveat)),
    deed("exec", "memfd", |request| run(request, memfd)),
    deed("exec", "deleted", |request| run(request, deleted)),
    deed("exec", "script", |request| run(request, script)),
    deed("exec", "loader", |request| run(request, loader)),
    deed("exec", "thread", |request| run(request, |_, marker| Exec::of(&own()?, marker, from_thread))),
    deed("exec", "vfork", |request| run(request, |_, marker| Exec::of(&own()?, marker, spawn))),
    deed("exec", "compat32", |request| {
        let gate = Gate::open()?;
        run(request, |_, marker| {
            Exec::of(&own()?, marker, move |path, words| Err(gate.execve(path, words).into()))
        })
    }),
];

/// An exec that is ready to be done in the child.
struct Exec {
    /// The path that is told to the kernel, or that the open program had.
    program: PathBuf,
    act: Box<dyn FnOnce() -> Result<()>>,
}

impl Exec {
    /// `act` on `program` as `program noop marker`.
    fn of(
        program: &Path,
        marker: &str,
        act: impl FnOnce(&CString, &[CString]) -> Result<()> + 'static,
    ) -> Result<Self> {
        let path = text(program)?;
        let words = [path.clone(), CString::from(c"noop"), CString::new(marker)?];
        Ok(Self { program: program.to_owned(), act: Box::new(move || act(&path, &words)) })
    }
}

/// What `deed noop` tells of itself.
pub(crate) fn told_by_program() -> Result<Truth> {
    let words: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let executable = fs::read_link("/proc/self/exe").context("reading /proc/self/exe")?;
    let (pid, started) = (pid_in_proc()?, started().context("reading /proc/self/stat")?);
    let comm = fs::read_to_string("/proc/self/comm")?;
    let truth = Truth::new().with("pid", pid).with("inner_pid", std::process::id()).with("started", started);
    let truth = truth.with("comm", comm.trim_end_matches('\n'));
    Ok(truth.with_path("executable", &executable).with("argv", words))
}

/// This process' id in the namespace that `/proc` is of, which is the caller's where a child is in a new one.
pub(crate) fn pid_in_proc() -> Result<u32> {
    let own = fs::read_link("/proc/self").context("reading /proc/self")?;
    Ok(own.to_string_lossy().parse()?)
}

/// Clock tick in which this process started: field 22 of proc_pid_stat(5), the 20th behind the name.
fn started() -> Result<u64> {
    const FIELD: usize = 19;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("it has no name")?;
    Ok(fields.split_ascii_whitespace().nth(FIELD).context("it is short")?.parse()?)
}

/// Prepares an exec here, does it in a child and takes what the program says.
fn run(request: &Request, prepare: impl FnOnce(&Place, &str) -> Result<Exec>) -> Result<Truth> {
    let place = Place::new(request)?;
    let marker = format!("deed-marker-{}", std::process::id());
    let exec = prepare(&place, &marker)?;
    let (truth, _) = become_program(|work| Ok(sys::process::fork(work)?), exec.act)?;
    let truth = truth.with_path("program", &exec.program);
    ensure!(truth.number("pid") != Some(std::process::id().into()), "the program ran in this very process");
    Ok(truth.with("marker", marker).with("parent", pid_in_proc()?))
}

/// What a child does, to its exit status.
pub(crate) type Work = Box<dyn FnOnce() -> i32>;

/// Makes a child by `make` that becomes a program by `act`: what the program tells, and the pid it had here.
pub(crate) fn become_program(
    make: impl FnOnce(Work) -> Result<Pid>,
    act: impl FnOnce() -> Result<()> + 'static,
) -> Result<(Truth, Pid)> {
    let (told, tell) = child::pipe()?;
    let pid = make(Box::new(move || {
        let done = rustix::stdio::dup2_stdout(&tell).context("turning stdout").and_then(|()| act());
        if let Err(error) = &done {
            drop(writeln!(std::io::stderr(), "deed: in the child: {error:#}"));
        }
        i32::from(done.is_err())
    }))?;
    let mut line = String::new();
    File::from(told).read_to_string(&mut line)?;
    let code = wait(pid)?;
    ensure!(code == 0, "the program, or the child that was to become it, ended with {code}");
    Ok((Truth::parse(line.trim_end())?, pid))
}

/// An exec of this program as `noop marker`, to be done in a child.
pub(crate) fn exec_own(marker: &str) -> Result<impl FnOnce() -> Result<()> + 'static> {
    let path = text(&own()?)?;
    let words = [path.clone(), CString::from(c"noop"), CString::new(marker)?];
    Ok(move || execve(&path, &words))
}

/// The same of what is open, wherever the child's root is by then.
pub(crate) fn exec_open(marker: &str) -> Result<impl FnOnce() -> Result<()> + 'static> {
    let own = own()?;
    let program = rustix::fs::open(&own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let words = [text(&own)?, CString::from(c"noop"), CString::new(marker)?];
    Ok(move || Err(sys::process::execveat(program.as_fd(), &words).into()))
}

fn own() -> Result<PathBuf> {
    std::env::current_exe().context("finding this program")
}

fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).context("a path with a zero in it")
}

fn execve(path: &CString, words: &[CString]) -> Result<()> {
    Err(sys::process::execve(path, words).into())
}

fn execveat(_: &Place, marker: &str) -> Result<Exec> {
    let own = own()?;
    let program = rustix::fs::open(&own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    of_open(&own, program, marker)
}

/// The exec of something open.
fn of_open(path: &Path, program: OwnedFd, marker: &str) -> Result<Exec> {
    Exec::of(path, marker, move |_, words| Err(sys::process::execveat(program.as_fd(), words).into()))
}

fn memfd(_: &Place, marker: &str) -> Result<Exec> {
    let mut copy = File::from(memfd_create("deed", MemfdFlags::CLOEXEC)?);
    std::io::copy(&mut File::open(own()?)?, &mut copy).context("copying this program to memory")?;
    of_open(Path::new("/memfd:deed"), copy.into(), marker)
}

fn deleted(place: &Place, marker: &str) -> Result<Exec> {
    let path = place.join("program");
    fs::copy(own()?, &path).context("copying this program")?;
    let program = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    fs::remove_file(&path)?;
    of_open(&path, program, marker)
}

fn script(place: &Place, marker: &str) -> Result<Exec> {
    let path = place.join("script");
    let line = [b"#!".as_slice(), own()?.as_os_str().as_bytes(), b" noop\n"].concat();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&path)?;
    file.write_all(&line)?;
    file.set_permissions(Permissions::from_mode(0o755))?;
    drop(file);
    let words = [text(&path)?, CString::new(marker)?];
    Exec::of(&path, marker, move |path, _| execve(path, &words))
}

fn loader(_: &Place, marker: &str) -> Result<Exec> {
    let own = own()?;
    let Some(loader) = interpreter(&fs::read(&own)?) else {
        return Err(Missing("this program is static: no loader runs it".to_owned()).into());
    };
    let words = [text(&loader)?, text(&own)?, CString::from(c"noop"), CString::new(marker)?];
    Exec::of(&loader, marker, move |path, _| execve(path, &words))
}

/// Offset of the first program header: `e_phoff` of `Elf64_Ehdr`, elf(5).
const HEADERS_AT: usize = 32;

/// Size and number of program headers: `e_phentsize` and `e_phnum`.
const HEADER_SIZE_AT: usize = 54;
const HEADER_COUNT_AT: usize = 56;

/// `PT_INTERP` of elf(5), and where its segment's offset and length are in `Elf64_Phdr`.
const INTERPRETER: u64 = 3;
const OFFSET_AT: usize = 8;
const LENGTH_AT: usize = 32;

/// The loader that a 64-bit ELF file asks for.
fn interpreter(elf: &[u8]) -> Option<PathBuf> {
    let number = |at: usize, length: usize| -> Option<u64> {
        let mut whole = [0; 8];
        whole.get_mut(..length)?.copy_from_slice(elf.get(at..at.checked_add(length)?)?);
        Some(u64::from_le_bytes(whole))
    };
    let place = |at: usize, length: usize| usize::try_from(number(at, length)?).ok();
    let (start, size) = (place(HEADERS_AT, 8)?, place(HEADER_SIZE_AT, 2)?);
    let mut headers = (0..place(HEADER_COUNT_AT, 2)?).map(|index| start + index * size);
    let header = headers.find(|header| number(*header, 4) == Some(INTERPRETER))?;
    let from = place(header + OFFSET_AT, 8)?;
    let path = elf.get(from..from.checked_add(place(header + LENGTH_AT, 8)?)?)?;
    Some(PathBuf::from(std::str::from_utf8(path.strip_suffix(&[0])?).ok()?))
}

/// The exec is done by a thread that is not the first: the kernel gives it the first one's id.
fn from_thread(path: &CString, words: &[CString]) -> Result<()> {
    thread::scope(|scope| match scope.spawn(|| execve(path, words)).join() {
        Ok(done) => done,
        Err(_) => bail!("the thread panicked"),
    })
}

fn spawn(path: &CString, words: &[CString]) -> Result<()> {
    let code = wait(sys::process::spawn(path, words).context("posix_spawn")?)?;
    ensure!(code == 0, "the program ended with {code}");
    Ok(())
}
