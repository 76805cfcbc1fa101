//! What an agent that is somebody else's by now may ask.

use std::fs::File;

use super::*;

/// All that can be asked, but for the two that start a program or go through all of /proc: the one reads nothing of a
/// question, the other a number of 16 bytes.
const ASKED: [Deed; 18] = [
    Deed::Begin,
    Deed::Namespace,
    Deed::Root,
    Deed::RootFolder,
    Deed::Folder,
    Deed::Passwd,
    Deed::Size,
    Deed::State,
    Deed::StateOfUser,
    Deed::Mark,
    Deed::MarkFiles,
    Deed::ByHandles,
    Deed::Name,
    Deed::Opened,
    Deed::Programs,
    Deed::Attach,
    Deed::GiveBack,
    Deed::CgroupPrograms,
];

/// One that has begun, with a folder of a runtime.
fn keeper(root: &Path) -> Keeper {
    let keeper = Keeper::default();
    keeper.roots.lock().unwrap().push(root.to_owned());
    keeper.own.get_or_init(Own::default);
    keeper
}

/// Files that stand open beside a question, none of which it may be hurt by.
fn beside(folder: &Path) -> Vec<OwnedFd> {
    [folder, Path::new("/dev/null"), Path::new("/proc/self")]
        .map(|path| OwnedFd::from(File::open(path).unwrap()))
        .into()
}

#[test]
fn fuzzed_questions_are_answered_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("web")).unwrap();
    std::fs::write(folder.path().join("web/state.json"), "{}").unwrap();
    let (keeper, beside) = (keeper(folder.path()), beside(folder.path()));
    let root = folder.path().as_os_str().as_bytes();
    let own = u64::from(std::process::id());
    let question = |deed| {
        let question = Message::ask(deed).numbers([own, 1, 0, u64::MAX]).text(root).text("web/state.json");
        question.text(".local/share/containers/storage").packet().unwrap()
    };
    let seeds = ASKED.map(question);
    let (mut understood, mut answered) = (0_u64, 0_u64);
    crate::fuzz::run(&seeds, |bytes, dice| {
        let read = Message::read(bytes);
        understood += u64::from(read.is_some());
        // What is no message says what one that makes sense is about.
        let question = read.unwrap_or_else(|| {
            let numbers =
                [own, 0, 1, 2, 7, u64::MAX, 1 << 32, u64::from(bytes.first().copied().unwrap_or(0))];
            let question = Message::ask(ASKED[dice.roll(ASKED.len())]);
            let question = question.numbers((0..dice.roll(6)).map(|_| numbers[dice.roll(numbers.len())]));
            let (first, rest) = bytes.split_at(dice.roll(bytes.len() + 1));
            question.text(if dice.roll(2) == 0 { root } else { first }).text(rest).text(first)
        });
        let deed = question.deed();
        if matches!(deed, Deed::Discover | Deed::Canary) {
            return;
        }
        let from = dice.roll(beside.len() + 1);
        if let Ok((answer, open)) = keeper.answer(&question, &beside[from..]) {
            answered += 1;
            assert!(answer.packet().is_ok() && open.len() <= super::super::message::DESCRIPTORS_MAX);
            assert!(!matches!(deed, Deed::None | Deed::Begin), "{question:?}");
        }
    });
    println!("{understood} packets were messages, {answered} questions were answered");
    assert!(answered > 0, "no question came to an answer");
}

/// The folder that is known, and nothing that links or dots lead to.
#[test]
fn state_is_handed_out_of_known_folders_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("runc");
    std::fs::create_dir_all(root.join("web")).unwrap();
    std::fs::write(root.join("web/state.json"), "{}").unwrap();
    std::fs::write(folder.path().join("state.json"), "secret").unwrap();
    std::os::unix::fs::symlink(folder.path(), root.join("link")).unwrap();
    let keeper = keeper(&root);
    let ask = |root: &Path, below: &str| {
        let file = What::ALL.iter().position(|what| *what == What::File).unwrap();
        let question = Message::ask(Deed::State).numbers([u64::try_from(file).unwrap()]);
        keeper.answer(&question.text(root.as_os_str().as_bytes()).text(below), &[]).is_ok()
    };
    assert!(ask(&root, "web/state.json"));
    for below in ["../state.json", "link/state.json", "web/../../state.json", "/etc/passwd", "web/other", ""]
    {
        assert!(!ask(&root, below), "{below}");
    }
    assert!(!ask(folder.path(), "state.json"), "nobody has told of that folder");
}
