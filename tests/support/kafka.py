"""A cluster of Kafka brokers: librdkafka's own, which keep what they get in memory and forget it when this ends, behind
doors that have fixed ports, and, if wanted, TLS and a login. What librdkafka's consumer reads back is written down.

    python kafka.py FOLDER SETTINGS

SETTINGS is JSON: `ports` (one for each broker's door), `topics` (`{"NAME": PARTITIONS}`), and if wanted `tls` (`[CERTIFICATE, KEY]`
or with a third file, the authority of clients' certificates) and `login` (`{"mechanism", "user", "password"}`, with
`"impostor": true` for one that does not know the password, `"lifetime"` in milliseconds for how long it holds).

FOLDER/received has a line of JSON for each record that the consumer read, FOLDER/produced one for each batch that went
through a door. Lines of JSON sent to the socket FOLDER/control are done one by one, and answered with a line:

    {"do": "errors", "api": 0, "codes": [6, 7]}        the next requests of this kind are answered so
    {"do": "topic_error", "topic": "t", "code": 29}    until it is 0 again
    {"do": "topic", "topic": "t", "partitions": 4}     makes one
    {"do": "leader", "topic": "t", "partition": 0, "broker": 2}
    {"do": "swallow", "count": 1}                      so many batches are taken, and their answers never sent
    {"do": "seal"}                                     closes the doors, and reads everything that was taken
"""

import base64
import ctypes
import hashlib
import hmac
import itertools
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import threading

from confluent_kafka import Consumer, TopicPartition

FOLDER, SETTINGS = sys.argv[1], json.loads(sys.argv[2])
PRODUCE, METADATA, HANDSHAKE, VERSIONS, AUTHENTICATE = 0, 3, 17, 18, 36
ILLEGAL_SASL_STATE, UNSUPPORTED_MECHANISM, LOGIN_FAILED = 34, 33, 58
# What the brokers do not know and a door does, with the versions.
MORE = struct.pack(">hhhhhh", HANDSHAKE, 0, 1, AUTHENTICATE, 0, 1)
HOST = b"127.0.0.1"
# As long as that, and what certificates are for.
NAME = b"localhost" if "tls" in SETTINGS else HOST
LOCK = threading.Lock()


class Cluster:
    """librdkafka's brokers, by the functions that its own tests use."""

    def __init__(self, count):
        with open("/proc/self/maps") as maps:
            path = next(line.split()[-1] for line in maps if "librdkafka" in line)
        self.library = ctypes.CDLL(path)
        handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        self.declare("rd_kafka_new", handle, number, handle, text, ctypes.c_size_t)
        self.declare("rd_kafka_mock_cluster_new", handle, handle, number)
        self.declare("rd_kafka_mock_cluster_bootstraps", text, handle)
        self.declare("rd_kafka_mock_topic_create", number, handle, text, number, number)
        self.declare("rd_kafka_mock_topic_set_error", None, handle, text, number)
        self.declare("rd_kafka_mock_partition_set_leader", number, handle, text, ctypes.c_int32, ctypes.c_int32)
        self.declare("rd_kafka_mock_push_request_errors_array", None, handle, ctypes.c_int16, ctypes.c_size_t, handle)
        client = self.library.rd_kafka_new(0, None, ctypes.create_string_buffer(512), 512)
        self.handle = self.library.rd_kafka_mock_cluster_new(client, count)
        self.bootstraps = self.library.rd_kafka_mock_cluster_bootstraps(self.handle).decode()
        self.ports = [int(place.rsplit(":", 1)[1]) for place in self.bootstraps.split(",")]
        self.count = count

    def declare(self, name, result, *arguments):
        function = getattr(self.library, name)
        function.restype, function.argtypes = result, arguments

    def topic(self, name, partitions):
        assert self.library.rd_kafka_mock_topic_create(self.handle, name.encode(), partitions, self.count) == 0

    def topic_error(self, name, code):
        self.library.rd_kafka_mock_topic_set_error(self.handle, name.encode(), code)

    def leader(self, name, partition, broker):
        done = self.library.rd_kafka_mock_partition_set_leader(self.handle, name.encode(), partition, broker)
        assert done == 0

    def errors(self, api, codes):
        array = (ctypes.c_int * len(codes))(*codes)
        self.library.rd_kafka_mock_push_request_errors_array(self.handle, api, len(codes), array)


def note(file, row):
    with LOCK, open(os.path.join(FOLDER, file), "a") as out:
        out.write(json.dumps(row) + "\n")


def exactly(stream, count):
    taken = b""
    while len(taken) < count:
        more = stream.recv(count - len(taken))
        if not more:
            raise ConnectionError("it closed")
        taken += more
    return taken


def frame(stream):
    return exactly(stream, struct.unpack(">i", exactly(stream, 4))[0])


def framed(text):
    return struct.pack(">i", len(text)) + text


def short(text):
    return struct.pack(">h", len(text)) + text


class Login:
    """The broker's half of SASL PLAIN (RFC 4616) and SCRAM (RFC 5802)."""

    def __init__(self, settings):
        self.settings, self.is_done, self.step = settings, settings is None, 0

    def answer(self, api, version, body):
        if api == HANDSHAKE:
            (length,) = struct.unpack_from(">h", body)
            code = 0 if body[2 : 2 + length].decode() == self.settings["mechanism"] else UNSUPPORTED_MECHANISM
            return struct.pack(">hi", code, 1) + short(self.settings["mechanism"].encode())
        token, said = body[4:], None
        try:
            token = self.take(token)
        except ValueError as error:
            token, said = b"", str(error).encode()
        code = 0 if said is None else LOGIN_FAILED
        answer = struct.pack(">h", code) + (struct.pack(">h", -1) if said is None else short(said))
        answer += struct.pack(">i", len(token)) + token
        return answer + (struct.pack(">q", self.settings.get("lifetime", 0)) if version >= 1 else b"")

    def take(self, token):
        wanted = self.settings
        if wanted["mechanism"] == "PLAIN":
            if token != b"\0" + wanted["user"].encode() + b"\0" + wanted["password"].encode():
                raise ValueError("Authentication failed: Invalid username or password")
            self.is_done = True
            return b""
        name = wanted["mechanism"].removeprefix("SCRAM-").replace("-", "").lower()
        if self.step == 0:
            self.step, header, self.first = 1, *token.split(b",,", 1)
            user, nonce = (part.split(b"=", 1)[1] for part in self.first.split(b",", 1))
            if header != b"n" or user.replace(b"=2C", b",").replace(b"=3D", b"=") != wanted["user"].encode():
                raise ValueError("Authentication failed during authentication due to invalid credentials")
            self.nonce, self.salt = nonce + secrets.token_hex(8).encode(), secrets.token_bytes(16)
            self.second = b"r=%s,s=%s,i=%d" % (self.nonce, base64.b64encode(self.salt), 4096)
            return self.second
        final, proof = token.rsplit(b",p=", 1)
        salted = hashlib.pbkdf2_hmac(name, wanted["password"].encode(), self.salt, 4096)
        key = hmac.digest(salted, b"Client Key", name)
        whole = b",".join([self.first, self.second, final])
        signature = hmac.digest(hashlib.new(name, key).digest(), whole, name)
        if final != b"c=biws,r=" + self.nonce or base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, signature)):
            raise ValueError("Authentication failed during authentication due to invalid credentials")
        self.is_done = True
        server = hmac.digest(salted if not wanted.get("impostor") else b"nobody", b"Server Key", name)
        return b"v=" + base64.b64encode(hmac.digest(server, whole, name))


class Door:
    """A fixed port before a broker. One request of a connection is under way at a time."""

    swallow = 0
    connections = itertools.count()
    streams = set()

    def __init__(self, port, broker, rewrite):
        self.broker, self.rewrite = broker, rewrite
        self.listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        Door.streams.add(stream)
        try:
            if CONTEXT:
                bare, stream = stream, CONTEXT.wrap_socket(stream, server_side=True)
                Door.streams.discard(bare)
                Door.streams.add(stream)
            with socket.create_connection(("127.0.0.1", self.broker)) as inner:
                self.talk(stream, inner, Login(SETTINGS.get("login")))
        except (OSError, ValueError):
            pass
        finally:
            Door.streams.discard(stream)
            stream.close()

    def talk(self, stream, inner, login):
        connection = next(Door.connections)
        while True:
            request = frame(stream)
            api, version, number, name = struct.unpack_from(">hhih", request)
            body = request[10 + max(name, 0) :]
            if api in (HANDSHAKE, AUTHENTICATE) and login.settings:
                stream.sendall(framed(struct.pack(">i", number) + login.answer(api, version, body)))
                continue
            if not login.is_done and api != VERSIONS:
                raise ConnectionError("nobody is let in without a login")
            inner.sendall(framed(request))
            answer = frame(inner)
            if api == VERSIONS and login.settings:
                count = struct.unpack_from(">i", answer, 6)[0] + 2
                answer = answer[:6] + struct.pack(">i", count) + answer[10:] + MORE
            if api == METADATA:
                for old, new in self.rewrite:
                    answer = answer.replace(old, new)
            if api == PRODUCE and self.is_swallowed(body, connection):
                raise ConnectionError("its answer is lost")
            stream.sendall(framed(answer))

    def is_swallowed(self, body, connection):
        """Writes down what the batch says of its producer: two with the same are one to a broker."""
        start = 2 + 2 + 4 + 4
        (length,) = struct.unpack_from(">h", body, start)
        batch = start + 2 + length + 4 + 4 + 4
        first, latest, producer, epoch, sequence, count = struct.unpack_from(">qqqhii", body, batch + 27)
        with LOCK:
            Door.swallow, is_swallowed = max(Door.swallow - 1, 0), Door.swallow > 0
        row = {"broker": self.broker, "connection": connection, "producer": producer, "epoch": epoch, "sequence": sequence, "count": count}
        note("produced", {**row, "first": first, "swallowed": is_swallowed})
        return is_swallowed


class Watcher:
    """Reads everything back, from the brokers themselves."""

    def __init__(self, cluster):
        self.consumer = Consumer({"bootstrap.servers": cluster.bootstraps, "group.id": "watcher"})
        self.parts, self.lock = [], threading.Lock()
        self.sealing, self.sealed = threading.Event(), threading.Event()

    def add(self, topic, partitions):
        with self.lock:
            parts = [TopicPartition(topic, number, 0) for number in range(partitions)]
            self.parts += parts
            self.consumer.incremental_assign(parts)

    def run(self):
        while True:
            with self.lock:
                record = self.consumer.poll(0.02)
            if record is not None and not record.error():
                row = {"topic": record.topic(), "partition": record.partition(), "offset": record.offset()}
                row |= {"key": record.key().decode(), "value": record.value().decode(), "time": record.timestamp()[1]}
                headers = {name: value.decode() for name, value in record.headers() or []}
                note("received", {**row, "headers": headers})
            elif self.sealing.is_set() and self.is_through():
                self.sealed.set()
                return

    def is_through(self):
        for part in self.consumer.position(self.parts):
            _, end = self.consumer.get_watermark_offsets(part, timeout=5, cached=False)
            if max(part.offset, 0) < end:
                return False
        return True


def context():
    if "tls" not in SETTINGS:
        return None
    certificate, key, *clients = SETTINGS["tls"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for authority in clients:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def obey(command, cluster, doors, watcher):
    match command.pop("do"):
        case "errors":
            cluster.errors(command["api"], command["codes"])
        case "topic_error":
            cluster.topic_error(command["topic"], command["code"])
        case "topic":
            cluster.topic(command["topic"], command["partitions"])
            watcher.add(command["topic"], command["partitions"])
        case "leader":
            cluster.leader(command["topic"], command["partition"], command["broker"])
        case "swallow":
            Door.swallow = command["count"]
        case "seal":
            for door in doors:
                door.listener.shutdown(socket.SHUT_RDWR)
                door.listener.close()
            for stream in list(Door.streams):
                stream.shutdown(socket.SHUT_RDWR)
            watcher.sealing.set()
            watcher.sealed.wait()


def main():
    cluster = Cluster(len(SETTINGS["ports"]))
    place = lambda host, port: host + struct.pack(">i", port)
    pairs = list(zip(cluster.ports, SETTINGS["ports"]))
    rewrite = [(place(HOST, inner), place(NAME, outer)) for inner, outer in pairs]
    watcher = Watcher(cluster)
    for name, partitions in SETTINGS["topics"].items():
        cluster.topic(name, partitions)
        watcher.add(name, partitions)
    threading.Thread(target=watcher.run, daemon=True).start()
    doors = [Door(outer, inner, rewrite) for inner, outer in pairs]
    path = os.path.join(FOLDER, "control")
    if os.path.exists(path):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    while True:
        stream, _ = server.accept()
        with stream, stream.makefile("rw") as lines:
            for line in lines:
                obey(json.loads(line), cluster, doors, watcher)
                lines.write("{}\n")
                lines.flush()


CONTEXT = context()
main()
