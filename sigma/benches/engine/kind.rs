//! The kinds of program starts, and the texts each is made of.

use super::random::Random;

/// The texts an exec is made of.
pub struct Written {
    pub image: String,
    pub command: String,
    pub parent: String,
    pub parent_command: String,
}

fn written(image: &str, command: String, parent: &str, parent_command: String) -> Written {
    Written { image: image.to_owned(), command, parent: parent.to_owned(), parent_command }
}

fn shim(random: &mut Random) -> String {
    let id = random.hex(64);
    format!(
        "/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id {id} -address /run/containerd/containerd.sock"
    )
}

/// A runtime or orchestrator asks whether a program is well.
pub fn health_check(random: &mut Random) -> Written {
    let (parent, parent_command) = (
        "/usr/bin/runc",
        format!(
            "runc --root /run/containerd/runc/k8s.io --log /run/containerd/io.containerd.runtime.v2.task/k8s.io/{}/log.json exec",
            random.hex(64)
        ),
    );
    let port = random.between(3000, 9100);
    match random.below(8) {
        0 => written(
            "/usr/bin/curl",
            format!("curl -fsS --max-time 3 http://localhost:{port}/healthz"),
            parent,
            parent_command,
        ),
        1 => written(
            "/usr/bin/bash",
            format!("/bin/sh -c curl -f http://127.0.0.1:{port}/ready || exit 1"),
            parent,
            parent_command,
        ),
        2 => written(
            "/usr/lib/postgresql/16/bin/pg_isready",
            "pg_isready -U app -d app -h 127.0.0.1 -p 5432".to_owned(),
            parent,
            parent_command,
        ),
        3 => written(
            "/usr/local/bin/redis-cli",
            "redis-cli --no-auth-warning -a ******** ping".to_owned(),
            parent,
            parent_command,
        ),
        4 => written(
            "/bin/grpc_health_probe",
            format!("/bin/grpc_health_probe -addr=:{port} -connect-timeout 250ms -rpc-timeout 100ms"),
            parent,
            parent_command,
        ),
        5 => written(
            "/usr/bin/wget",
            format!("wget --no-verbose --tries=1 --spider http://localhost:{port}/"),
            "/usr/bin/dash",
            "sh -c wget --no-verbose --tries=1 --spider".to_owned(),
        ),
        6 => written("/usr/bin/cat", "cat /tmp/healthy".to_owned(), parent, parent_command),
        _ => written(
            "/usr/bin/rabbitmq-diagnostics",
            "rabbitmq-diagnostics -q check_running".to_owned(),
            parent,
            parent_command,
        ),
    }
}

/// The small tools of a shell script, one after another.
pub fn pipeline(random: &mut Random) -> Written {
    let script = format!("/bin/sh /opt/{}/bin/{}.sh --once", random.word(6), random.word(8));
    let (image, command) = match random.below(12) {
        0 => (
            "/usr/bin/grep",
            format!("grep -q {}= /etc/{}/{}.conf", random.word(7), random.word(5), random.word(6)),
        ),
        1 => (
            "/usr/bin/sed",
            format!("sed -i s/{}/{}/g /etc/nginx/conf.d/default.conf", random.word(8), random.word(6)),
        ),
        2 => ("/usr/bin/gawk", "awk -F: {print $1} /etc/hosts".to_owned()),
        3 => ("/usr/bin/cat", format!("cat /proc/{}/status", random.between(2, 70_000))),
        4 => ("/usr/bin/date", "date -u +%Y-%m-%dT%H:%M:%SZ".to_owned()),
        5 => ("/usr/bin/sleep", format!("sleep {}", random.between(1, 60))),
        6 => ("/usr/bin/cut", "cut -d   -f 2".to_owned()),
        7 => ("/usr/bin/tr", "tr -d \\r\\n".to_owned()),
        8 => ("/usr/bin/mkdir", format!("mkdir -p /var/cache/{}/{}", random.word(6), random.hex(2))),
        9 => ("/usr/bin/rm", format!("rm -f /tmp/{}.{}", random.word(6), random.hex(10))),
        10 => ("/usr/bin/find", format!("find /var/log/{} -type f -mtime +7 -delete", random.word(6))),
        _ => ("/usr/bin/id", "id -u".to_owned()),
    };
    let parent = random.pick(&["/usr/bin/dash", "/usr/bin/bash", "/bin/busybox"]);
    written(image, command, parent, script)
}

/// The first program of a container.
pub fn entry_point(random: &mut Random) -> Written {
    let parent = shim(random);
    let (image, command) = match random.below(7) {
        0 => ("/usr/bin/tini", "/usr/bin/tini -- /docker-entrypoint.sh node dist/main.js".to_owned()),
        1 => ("/usr/bin/dumb-init", "/usr/bin/dumb-init -- gunicorn app.wsgi:application --bind 0.0.0.0:8000 --workers 4 --timeout 120".to_owned()),
        2 => ("/usr/bin/dash", "/bin/sh /docker-entrypoint.sh nginx -g daemon off;".to_owned()),
        3 => ("/usr/bin/bash", format!("/bin/bash -c set -euo pipefail; exec /opt/{0}/bin/{0} --config /etc/{0}/config.yaml", random.word(7))),
        4 => ("/pause", "/pause".to_owned()),
        5 => ("/usr/local/bin/docker-entrypoint.sh", "/bin/bash /usr/local/bin/docker-entrypoint.sh postgres -c max_connections=200 -c shared_buffers=256MB".to_owned()),
        _ => ("/usr/local/bin/kube-state-metrics", "/usr/local/bin/kube-state-metrics --port=8080 --resources=pods,nodes,deployments --telemetry-port=8081".to_owned()),
    };
    written(image, command, "/usr/bin/containerd-shim-runc-v2", parent)
}

/// A server, or one of its workers.
pub fn worker(random: &mut Random) -> Written {
    let heap = random.between(256, 8192);
    match random.below(6) {
        0 => {
            let jars: Vec<String> = (0..random.between(4, 14))
                .map(|_| {
                    format!(
                        "/app/libs/{}-{}.{}.{}.jar",
                        random.word(8),
                        random.below(9),
                        random.below(20),
                        random.below(10)
                    )
                })
                .collect();
            let class_path = jars.join(":");
            let command = format!(
                "java -Xms{heap}m -Xmx{heap}m -XX:+UseG1GC -XX:MaxGCPauseMillis=200 -Djava.security.egd=file:/dev/./urandom -Dspring.profiles.active=prod -cp {class_path} org.example.{}.Application",
                random.word(7)
            );
            written(
                "/opt/java/openjdk/bin/java",
                command,
                "/usr/bin/tini",
                "tini -- /entrypoint.sh".to_owned(),
            )
        }
        1 => written(
            "/usr/local/bin/node",
            format!(
                "node --max-old-space-size={heap} --enable-source-maps /srv/app/dist/worker.js --queue {}",
                random.word(8)
            ),
            "/usr/local/bin/node",
            "node /srv/app/dist/main.js".to_owned(),
        ),
        2 => written(
            "/usr/local/bin/python3.12",
            format!(
                "/usr/local/bin/python3.12 -m celery -A {} worker --loglevel=INFO --concurrency={}",
                random.word(6),
                random.between(1, 16)
            ),
            "/usr/bin/dumb-init",
            "dumb-init -- celery".to_owned(),
        ),
        3 => written(
            "/usr/sbin/php-fpm8.2",
            "php-fpm: pool www".to_owned(),
            "/usr/sbin/php-fpm8.2",
            "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)".to_owned(),
        ),
        4 => written(
            "/usr/lib/postgresql/16/bin/postgres",
            format!(
                "postgres: app app 10.42.{}.{}({}) idle",
                random.below(256),
                random.below(256),
                random.between(30_000, 60_000)
            ),
            "/usr/lib/postgresql/16/bin/postgres",
            "postgres -c max_connections=200".to_owned(),
        ),
        _ => written(
            "/usr/sbin/nginx",
            "nginx: worker process".to_owned(),
            "/usr/sbin/nginx",
            "nginx: master process nginx -g daemon off;".to_owned(),
        ),
    }
}

pub fn script(random: &mut Random) -> Written {
    let (parent, parent_command) = ("/usr/local/bin/node", "node /srv/app/dist/main.js".to_owned());
    match random.below(5) {
        0 => written(
            "/usr/local/bin/python3.12",
            format!(
                "python3 /app/manage.py {} --settings={}.settings.production",
                random.pick(&["migrate", "collectstatic", "clearsessions"]),
                random.word(7)
            ),
            "/usr/bin/bash",
            "/bin/bash /app/start.sh".to_owned(),
        ),
        1 => written(
            "/usr/bin/perl",
            format!("perl -w /usr/share/{0}/{0}.pl --quiet", random.word(6)),
            "/usr/bin/dash",
            "sh -c".to_owned(),
        ),
        2 => written(
            "/usr/bin/git",
            format!("git -C /srv/{} fetch --depth=1 origin {}", random.word(7), random.hex(40)),
            parent,
            parent_command,
        ),
        3 => written(
            "/usr/bin/ffmpeg",
            format!(
                "ffmpeg -y -loglevel error -i /data/in/{}.mp4 -vf scale=1280:-2 -c:v libx264 -preset veryfast /data/out/{}.mp4",
                random.hex(16),
                random.hex(16)
            ),
            parent,
            parent_command,
        ),
        _ => written(
            "/usr/bin/convert",
            format!("convert /tmp/{}.png -resize 200x200 /tmp/{}.jpg", random.hex(12), random.hex(12)),
            parent,
            parent_command,
        ),
    }
}

pub fn package_manager(random: &mut Random) -> Written {
    let (parent, parent_command) = (
        "/usr/bin/dash",
        format!(
            "/bin/sh -c apt-get update && apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
            random.word(8)
        ),
    );
    match random.below(6) {
        0 => written(
            "/usr/bin/apt-get",
            "apt-get install -y --no-install-recommends ca-certificates curl gnupg".to_owned(),
            parent,
            parent_command,
        ),
        1 => written(
            "/usr/bin/dpkg",
            format!(
                "/usr/bin/dpkg --status-fd 22 --no-triggers --unpack --auto-deconfigure /var/cache/apt/archives/{}_1.{}_amd64.deb",
                random.word(9),
                random.below(40)
            ),
            "/usr/bin/apt-get",
            "apt-get install -y".to_owned(),
        ),
        2 => written(
            "/sbin/apk",
            format!("apk add --no-cache {} {}", random.word(6), random.word(7)),
            "/bin/busybox",
            "/bin/sh -c apk add".to_owned(),
        ),
        3 => written(
            "/usr/local/bin/python3.12",
            format!(
                "/usr/local/bin/python3.12 /usr/local/bin/pip install --no-cache-dir -r requirements.txt --index-url https://pypi.example.org/{}/simple",
                random.word(5)
            ),
            parent,
            parent_command,
        ),
        4 => written(
            "/usr/local/bin/node",
            "node /usr/local/bin/npm ci --omit=dev --no-audit --no-fund".to_owned(),
            parent,
            parent_command,
        ),
        _ => written(
            "/usr/bin/update-ca-certificates",
            "/bin/sh /usr/sbin/update-ca-certificates --fresh".to_owned(),
            "/usr/bin/dpkg",
            "/usr/bin/dpkg --configure -a".to_owned(),
        ),
    }
}

pub fn fetch(random: &mut Random) -> Written {
    let url = format!(
        "https://{}.example.org/{}/{}-{}.tar.gz",
        random.word(6),
        random.word(7),
        random.word(7),
        random.below(30)
    );
    let (parent, parent_command) = ("/usr/bin/bash", format!("bash /opt/deploy/{}.sh", random.word(8)));
    match random.below(5) {
        0 => written(
            "/usr/bin/curl",
            format!("curl -fsSL --retry 3 -o /tmp/{}.tar.gz {url}", random.word(6)),
            parent,
            parent_command,
        ),
        1 => written("/usr/bin/wget", format!("wget -q -O - {url}"), parent, parent_command),
        2 => written(
            "/usr/bin/tar",
            format!(
                "tar -xzf /tmp/{}.tar.gz -C /opt/{} --strip-components=1",
                random.word(6),
                random.word(6)
            ),
            parent,
            parent_command,
        ),
        3 => written(
            "/usr/bin/openssl",
            format!("openssl s_client -connect {}.example.org:443 -servername {0}", random.word(7)),
            parent,
            parent_command,
        ),
        _ => written(
            "/usr/local/bin/aws",
            format!(
                "/usr/local/bin/python3.12 /usr/local/bin/aws s3 cp s3://{}/{}.dump.gz - --no-progress --region eu-central-1",
                random.word(9),
                random.word(8)
            ),
            parent,
            parent_command,
        ),
    }
}

pub fn cron(random: &mut Random) -> Written {
    let job = format!("/bin/sh -c test -x /usr/sbin/{0} && /usr/sbin/{0} --quiet", random.word(7));
    match random.below(4) {
        0 => written("/usr/bin/dash", job, "/usr/sbin/cron", "/usr/sbin/CRON -f".to_owned()),
        1 => written(
            "/usr/sbin/logrotate",
            "/usr/sbin/logrotate /etc/logrotate.conf".to_owned(),
            "/usr/bin/dash",
            job,
        ),
        2 => written(
            "/usr/bin/gzip",
            format!("/bin/gzip -9 /var/log/{}.log.1", random.word(6)),
            "/usr/sbin/logrotate",
            "/usr/sbin/logrotate /etc/logrotate.conf".to_owned(),
        ),
        _ => written(
            "/usr/bin/run-parts",
            "run-parts --report /etc/cron.hourly".to_owned(),
            "/usr/sbin/cron",
            "/usr/sbin/CRON -f".to_owned(),
        ),
    }
}

pub fn compiler(random: &mut Random) -> Written {
    let includes: Vec<String> =
        (0..random.between(3, 12)).map(|_| format!("-I/build/{}/include", random.word(7))).collect();
    let command = format!(
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus -quiet {} -D_GNU_SOURCE -DNDEBUG src/{}.cc -mtune=generic -march=x86-64 -O2 -std=c++17 -fPIC -o /tmp/cc{}.s",
        includes.join(" "),
        random.word(9),
        random.hex(6)
    );
    written(
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus",
        command,
        "/usr/bin/x86_64-linux-gnu-g++-12",
        format!("c++ -O2 -c src/{}.cc", random.word(9)),
    )
}

/// Somebody looks around in a container.
pub fn person(random: &mut Random) -> Written {
    let command = match random.below(9) {
        0 => ("/usr/bin/ls", "ls -la --color=auto".to_owned()),
        1 => ("/usr/bin/ps", "ps aux".to_owned()),
        2 => ("/usr/bin/env", "env".to_owned()),
        3 => ("/usr/bin/vim.basic", format!("vim /etc/{}/{}.yaml", random.word(6), random.word(5))),
        4 => ("/usr/bin/whoami", "whoami".to_owned()),
        5 => (
            "/usr/local/bin/kubectl",
            format!("kubectl -n {} get pods -o wide --selector app={}", random.word(6), random.word(5)),
        ),
        6 => ("/usr/bin/netstat", "netstat -tulpn".to_owned()),
        7 => ("/usr/bin/chmod", format!("chmod +x /tmp/{}.sh", random.word(5))),
        _ => ("/usr/bin/cat", "cat /etc/passwd".to_owned()),
    };
    written(command.0, command.1, "/usr/bin/bash", "/bin/bash -il".to_owned())
}
