//! Containers that idle, spike, grow, flicker and start again; nothing is read of this machine.

use super::*;

const MIB: u64 = 1 << 20;

/// One container that is read every ten seconds.
struct Box {
    table: ResourceTable,
    id: Arc<str>,
    now: u64,
    cpu_time: u64,
}

impl Box {
    fn new() -> Self {
        Self { table: ResourceTable::default(), id: "box".into(), now: RESOURCE_PERIOD, cpu_time: 5 }
    }

    /// It used this much (thousandths of a CPU, bytes) since it was read last.
    fn used(&mut self, cpu: u64, memory: u64) -> Vec<ResourceUse> {
        self.now += RESOURCE_PERIOD;
        self.cpu_time += cpu * (RESOURCE_PERIOD / 1_000_000);
        let reading = ResourceReading { cpu: Some(self.cpu_time), memory: Some(memory) };
        self.table.read(&self.id, self.now, reading)
    }

    fn all(&mut self, uses: impl IntoIterator<Item = (u64, u64)>) -> Vec<ResourceUse> {
        uses.into_iter().flat_map(|(cpu, memory)| self.used(cpu, memory)).collect()
    }

    /// What is normal for it is known: the first reading tells no rate.
    fn settled(cpu: u64, memory: u64) -> Self {
        let mut container = Self::new();
        assert_eq!(container.all([(cpu, memory); SAMPLES_MIN + 1]), []);
        container
    }
}

fn spike(resource: Resource, value: u64, normal: u64) -> ResourceUse {
    ResourceUse { resource, value, normal }
}

#[test]
fn steady_use_is_told_never_however_high() {
    assert_eq!(Box::new().all([(3_900, 8_192 * MIB); 200]), []);
}

#[test]
fn a_spike_is_told_with_its_third_sample_and_once() {
    let mut container = Box::settled(20, 64 * MIB);
    assert_eq!(container.all([(1_900, 64 * MIB), (1_500, 64 * MIB)]), []);
    assert_eq!(container.used(2_000, 64 * MIB), [spike(Resource::Cpu, 1_500, 20)]);
    assert_eq!(container.all([(2_000, 64 * MIB); 60]), [], "it goes on until it is normal");
}

#[test]
fn memory_is_judged_by_itself() {
    let mut container = Box::settled(20, 100 * MIB);
    assert_eq!(container.all([(20, 299 * MIB); 3]), [], "less than three times as much");
    let told = container.all([(20, 900 * MIB); 3]);
    assert_eq!(told, [spike(Resource::Memory, 900 * MIB, 100 * MIB)]);
}

#[test]
fn below_the_floor_nothing_is_told() {
    let mut container = Box::settled(1, MIB);
    assert_eq!(container.all([(CPU_FLOOR - 1, MEMORY_FLOOR - 1); 9]), []);
    let mut container = Box::settled(1, MIB);
    assert_eq!(container.all([(CPU_FLOOR, MEMORY_FLOOR); 3]).len(), 2);
}

#[test]
fn the_first_two_minutes_are_not_judged() {
    let mut container = Box::new();
    let quiet = SAMPLES_MIN - LASTING;
    assert_eq!(container.all(std::iter::repeat_n((10, MIB), quiet)), []);
    assert_eq!(container.all([(2_000, 900 * MIB); LASTING]), [], "these are of the first two minutes");
}

#[test]
fn slow_growth_becomes_normal() {
    let mut container = Box::settled(100, 200 * MIB);
    // A tenth more each minute.
    let growth = (0..360).map(|sample| (100 + sample * 5, (200 + sample * 4) * MIB));
    assert_eq!(container.all(growth), []);
}

#[test]
fn noise_is_no_spike() {
    let mut container = Box::settled(100, 200 * MIB);
    // Two samples high, one normal.
    let noise = (0..90).map(|sample| if sample % 3 == 0 { (100, 200 * MIB) } else { (390, 590 * MIB) });
    assert_eq!(container.all(noise), []);
    let mut container = Box::settled(100, 200 * MIB);
    let bursts = (0..90).map(|sample| if sample % 8 < 2 { (2_000, 900 * MIB) } else { (100, 200 * MIB) });
    assert_eq!(container.all(bursts), [], "no three in a row");
}

#[test]
fn a_job_that_comes_again_is_told_once_an_hour_unless_it_is_twice_as_high() {
    let mut container = Box::settled(20, MIB);
    // Forty seconds of work every four minutes.
    let job = |height| std::iter::repeat_n((height, MIB), 4).chain(std::iter::repeat_n((20, MIB), 20));
    let first = container.all(job(800));
    assert_eq!(first, [spike(Resource::Cpu, 800, 20)]);
    for _ in 0..10 {
        assert_eq!(container.all(job(900)), []);
    }
    assert_eq!(container.all(job(1_600)), [spike(Resource::Cpu, 1_600, 20)]);
    let hour = usize::try_from(QUIET / RESOURCE_PERIOD).expect("it is 360");
    assert_eq!(container.all(std::iter::repeat_n((20, MIB), hour)), []);
    assert_eq!(container.all(job(900)), [spike(Resource::Cpu, 900, 20)]);
}

#[test]
fn a_restart_begins_anew() {
    let mut container = Box::settled(20, MIB);
    container.cpu_time = 0;
    assert_eq!(container.all([(0, 900 * MIB); SAMPLES_MIN + 1]), [], "another cgroup: its count is small");
    assert_eq!(container.all([(2_000, 900 * MIB); 3]), [spike(Resource::Cpu, 2_000, 0)]);
}

#[test]
fn what_could_not_be_read_is_skipped() {
    let mut container = Box::settled(20, MIB);
    let nothing = ResourceReading::default();
    assert_eq!(container.used(2_000, MIB), []);
    container.now += RESOURCE_PERIOD;
    assert_eq!(container.table.read(&container.id, container.now, nothing), []);
    assert_eq!(container.used(2_000, MIB), []);
    assert_eq!(container.used(2_000, MIB).len(), 1);
}

#[test]
fn too_many_containers_are_counted_and_the_gone_make_room() {
    let mut table = ResourceTable::default();
    for number in 0..=RESOURCES_MAX {
        drop(table.read(&number.to_string().into(), RESOURCE_PERIOD, ResourceReading::default()));
    }
    assert_eq!((table.containers.len(), table.dropped()), (RESOURCES_MAX, 1));
    table.keep(|id| id == "7");
    assert_eq!(table.containers.len(), 1);
    assert_eq!((table.read_at("7"), table.read_at("8")), (RESOURCE_PERIOD, 0));
    let mut container = Box::new();
    drop(container.all([(1, 1); 3 * SAMPLES_MAX]));
    let usage = &container.table.containers[&container.id];
    assert_eq!((usage.cpu.samples.len(), usage.memory.samples.len()), (SAMPLES_MAX, SAMPLES_MAX));
}
