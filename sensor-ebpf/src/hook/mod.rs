//! The programs, one file per family. Above each stand the kernel's prototype and where it is called.

mod process;
mod network;
mod file;
mod system;
