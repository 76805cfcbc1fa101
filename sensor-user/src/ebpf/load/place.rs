//! Where programs go: each row's tiers in order, until one is had and fires.

use std::error::Error;
use std::fs::File;
use std::time::Instant;

use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr, FEntry, FExit, Program,
    ProgramError, RawTracePoint,
};
use aya::{Btf, Ebpf};
use tracing::debug;

use super::LoadError;
use crate::alert::HookCoverage;
use crate::capture::Capture;
use crate::ebpf::fanotify::{FileWatch, default_roots};
use crate::ebpf::hook::{self, Attach, Direction, Hook, Means, Tier, Trial};
use crate::ebpf::proof::{Proof, Prover};

/// What attaching needs.
pub(super) struct Place<'a> {
    pub(super) programs: &'a mut Ebpf,
    pub(super) btf: Option<&'a Btf>,
    pub(super) cgroup: &'a File,
    pub(super) avoid: &'a [Means],
    pub(super) prover: Prover<'a>,
    pub(super) files: Option<FileWatch>,
    pub(super) capture: &'a Capture,
}

/// Said of a hook that the kernel attaches and does not run.
const SILENT: &str = "attached but did not fire";

/// Said of a place that the operator does not want.
pub(crate) const AVOIDED: &str = "to be avoided by the configuration";

impl Place<'_> {
    /// Tries a hook's tiers in order.
    pub(super) fn take(&mut self, hook: &'static Hook) -> Result<(HookCoverage, Option<Proof>), LoadError> {
        let mut refused = Vec::new();
        for (number, tier) in (1_u8..).zip(hook.tiers) {
            let begun = Instant::now();
            let outcome = self.attach_all(tier);
            let attaching = begun.elapsed();
            let outcome = outcome.and_then(|()| self.prove(hook.trial, tier));
            let proving = begun.elapsed().saturating_sub(attaching);
            let place = hook::name(tier);
            debug!(hook = hook.purpose, place, ?attaching, ?proving, ?outcome);
            match outcome {
                Ok(proof) => {
                    // The same function under its older signature sees the same.
                    let is_first = hook.tiers.first().is_some_and(|first| hook::name(first) == place);
                    let weakens = (!is_first && !hook.weakened.is_empty()).then_some(hook.weakened);
                    let attached = Some(place);
                    let hook =
                        HookCoverage { purpose: hook.purpose, attached, tier: number, refused, weakens };
                    return Ok((hook, Some(proof)));
                }
                Err(reason) => refused.push((place, reason)),
            }
        }
        if hook.is_required {
            let reason = refused
                .iter()
                .map(|(place, reason)| format!("{place}: {reason}"))
                .collect::<Vec<_>>()
                .join("; ");
            return Err(LoadError::Required { purpose: hook.purpose, reason });
        }
        let weakens = Some(hook.unseen);
        Ok((HookCoverage { purpose: hook.purpose, attached: None, tier: 0, refused, weakens }, None))
    }

    /// Lets an attached hook fire. One that does not is detached and counts as refused.
    fn prove(&mut self, trial: Trial, tier: Tier) -> Result<Proof, String> {
        let proof = match (&mut self.files, tier) {
            (Some(watch), &[Attach::Fanotify { event }]) => self.prover.prove_watch(watch, event),
            _ => self.prover.prove(trial, tier),
        };
        if proof != Proof::Silent {
            return Ok(proof);
        }
        match tier.iter().try_for_each(|attach| self.detach(*attach)) {
            Ok(()) => Err(SILENT.to_owned()),
            Err(reason) => Err(format!("{SILENT}, and cannot be detached: {reason}")),
        }
    }

    fn detach(&mut self, attach: Attach) -> Result<(), String> {
        let outcome = match attach {
            Attach::RawTracepoint { program, .. } => self.program::<RawTracePoint>(program)?.unload(),
            Attach::Fentry { program, .. } => self.program::<FEntry>(program)?.unload(),
            Attach::Fexit { program, .. } => self.program::<FExit>(program)?.unload(),
            Attach::CgroupAddress { program } => self.program::<CgroupSockAddr>(program)?.unload(),
            Attach::CgroupSocket { program } => self.program::<CgroupSock>(program)?.unload(),
            Attach::CgroupPacket { program, .. } => self.program::<CgroupSkb>(program)?.unload(),
            // Its own row may have been proven.
            Attach::With { .. } => Ok(()),
            Attach::Fanotify { event } => {
                if let Some(watch) = &mut self.files {
                    watch.disable(event);
                }
                Ok(())
            }
        };
        outcome.map_err(|error| reason(&error))
    }

    /// Attaches all places of a tier, or none.
    fn attach_all(&mut self, tier: Tier) -> Result<(), String> {
        for (index, attach) in tier.iter().enumerate() {
            if let Err(reason) = self.attach(*attach) {
                for attached in tier.iter().take(index) {
                    self.detach(*attached)?;
                }
                return if tier.len() == 1 {
                    Err(reason)
                } else {
                    Err(format!("{}: {reason}", attach.name()))
                };
            }
        }
        Ok(())
    }

    fn attach(&mut self, attach: Attach) -> Result<(), String> {
        if attach.means().is_some_and(|means| self.avoid.contains(&means)) {
            return Err(AVOIDED.to_owned());
        }
        match attach {
            Attach::RawTracepoint { program, tracepoint } => {
                let program: &mut RawTracePoint = self.program(program)?;
                program.load().map_err(|error| refusal(&error))?;
                debug!(tracepoint, verified = ?program.info().ok().and_then(|info| info.verified_instruction_count()));
                program.attach(tracepoint).map_err(|error| reason(&error))?;
            }
            Attach::Fentry { program, function } => {
                let btf = self.btf.ok_or("the kernel's BTF is not readable")?;
                let program: &mut FEntry = self.program(program)?;
                program.load(function, btf).map_err(|error| refusal(&error))?;
                program.attach().map_err(|error| reason(&error))?;
            }
            Attach::Fexit { program, function } => {
                let btf = self.btf.ok_or("the kernel's BTF is not readable")?;
                let program: &mut FExit = self.program(program)?;
                program.load(function, btf).map_err(|error| refusal(&error))?;
                program.attach().map_err(|error| reason(&error))?;
            }
            // A link coexists with others in any case; "multiple" is for the older attach call and
            // links refuse it with EINVAL (kernel/bpf/cgroup.c, cgroup_bpf_link_attach).
            Attach::CgroupAddress { program } => {
                let cgroup = self.cgroup;
                let program: &mut CgroupSockAddr = self.program(program)?;
                program.load().map_err(|error| refusal(&error))?;
                program.attach(cgroup, CgroupAttachMode::Single).map_err(|error| reason(&error))?;
            }
            Attach::CgroupSocket { program } => {
                let cgroup = self.cgroup;
                let program: &mut CgroupSock = self.program(program)?;
                program.load().map_err(|error| refusal(&error))?;
                program.attach(cgroup, CgroupAttachMode::Single).map_err(|error| reason(&error))?;
            }
            Attach::CgroupPacket { program, direction } => {
                let cgroup = self.cgroup;
                let program: &mut CgroupSkb = self.program(program)?;
                program.load().map_err(|error| refusal(&error))?;
                let direction = match direction {
                    Direction::In => CgroupSkbAttachType::Ingress,
                    Direction::Out => CgroupSkbAttachType::Egress,
                };
                program
                    .attach(cgroup, direction, CgroupAttachMode::Single)
                    .map_err(|error| reason(&error))?;
            }
            Attach::With { program, .. } => {
                let program = self.programs.program(program);
                if program.and_then(|program| program.fd().ok()).is_none() {
                    return Err("the program that would see it is not attached".to_owned());
                }
            }
            Attach::Fanotify { event } => {
                let capture = self.capture;
                let watch = self.files.get_or_insert_with(|| FileWatch::new(&default_roots(), capture));
                watch.enable(event).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn program<'p, P>(&'p mut self, name: &str) -> Result<&'p mut P, String>
    where
        &'p mut P: TryFrom<&'p mut Program>,
    {
        self.programs
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .ok_or_else(|| format!("the kernel half has no program {name}"))
    }
}

/// As [`reason`], with the verifier's words for `--log debug`.
fn refusal(error: &ProgramError) -> String {
    if let ProgramError::LoadError { verifier_log, .. } = error {
        debug!(%verifier_log, "refused");
    }
    reason(error)
}

/// The innermost reason, in the kernel's words where it gave an error number.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().lines().next().unwrap_or_default().to_owned()
}
