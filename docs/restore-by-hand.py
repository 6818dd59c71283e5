#!/usr/bin/env python3
"""Fetches one node's files of a Ringvault backup, with nothing but Python 3.8, `aws s3 cp` and, for what is
compressed, `zstd`, and for what the hosts encrypted, `aws kms decrypt` and Node 18, and checks every byte.

backup.json has the hashes of the node's header and listing, the listing those of all files. What is there and right is
kept: after any failure, run it again. Of an incremental backup all that it goes on from is fetched with it.
docs/storage-format.md, "Restoring by hand", says what to do before and after.
Exit code: 0 where everything asked for is there and right, 1 where not, 2 for wrong usage.
"""
import argparse
import concurrent.futures
import gzip
import hashlib
import heapq
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading

FORMAT_VERSION = 1
FIELDS = {
    'backup.json': 'formatVersion backupId clusterId kind ?base ?previous scope selection leftOut clusterName '
                   'snapshotAt snapshotSpreadMs ?pause sealedAt schemaVersion nodes ring schema schemaCql files bytes',
    'base': 'backupId manifestSha256', 'previous': 'backupId manifestSha256', 'pause': 'askedAt applications',
    'nodes': 'hostId instanceArn headerSha256 listingSha256 files bytes',
    'ring': 'sha256', 'schema': 'sha256', 'schemaCql': 'sha256',
    'node.json': 'formatVersion backupId clusterId hostId instanceArn datacenter rack cassandraVersion '
                 'sstableFormats dataDirectories schemaVersion snapshotTag snapshot tables files bytes damagedFiles '
                 '?incrementalBackups listing',
    'snapshot': 'askedAt startedAt doneAt clockOffsetMs',
    'tables': 'keyspace table tableId files bytes sstables',
    'listing': 'sha256 sizeBytes lines',
    'files.gz': 'path dataDirectory sizeBytes sha256 ?variant ?encryptionKey ?damaged ?pack ?offset',
}
PATH = re.compile(r'[^/\0]+/[^/\0]+-[0-9a-f]{32}(/\.[^/\0]+)?/[^/\0]+')
SHA256 = re.compile('[0-9a-f]{64}')
SYSTEM_KEYSPACES = ('system', 'system_auth', 'system_distributed', 'system_schema')
VARIANTS = ('2', 'zst', 'zst.2', 'enc', 'enc.2', 'zst.enc', 'zst.enc.2')
HOST_ID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')
RUN_ID = re.compile('[0-9]{8}t[0-9]{6}z-[0-9a-f]{8}')
BLOCK = 1 << 20
LINES_AT_ONCE = 1000  # An object is fetched once for all files among these that need it.
PARTS = '.ringvault-parts'  # In each target directory: what is not whole or not checked yet.
part_numbers = itertools.count()
data_keys, asking_kms = {}, threading.Lock()
DECRYPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'decrypt-object.mjs')


class Refused(Exception):
    """Says what, got and expected."""


def main(options):
    cluster = f'{options.vault.rstrip("/")}/clusters/{options.cluster}'
    backup = f'{cluster}/backups/{options.backup}'
    documents = options.documents or f'backup-{options.backup}'
    manifest = read_document(f'{backup}/backup.json', documents, options.sha256)
    expect(f'{backup}/backup.json', manifest, {'backupId': options.backup, 'clusterId': options.cluster})
    for name, field in {'ring.json': 'ring', 'schema.json': 'schema', 'schema.cql': 'schemaCql'}.items():
        fetch_document(f'{backup}/{name}', documents, manifest[field]['sha256'])
    nodes = [node for node in manifest['nodes'] if options.list or node['hostId'] == options.host]
    if not nodes:
        known = ' '.join(node['hostId'] for node in manifest['nodes'])
        raise Refused(f'{backup}/backup.json: got no node {options.host}, expected one of {known}')
    chain = read_chain(cluster, manifest, documents)
    for node in nodes:
        if not HOST_ID.fullmatch(node['hostId']):  # It names a directory.
            raise Refused(f'{backup}/backup.json: got host ID {node["hostId"]}, expected a UUID')
        if options.list:
            _, header = read_header(cluster, *chain[-1], node['hostId'])
            print(node['hostId'], node['instanceArn'], f'{node["files"]} files, {node["bytes"]} bytes of',
                  *header['dataDirectories'])
        else:
            header, sources = read_node(cluster, chain, node['hostId'], options)
            for _ in chain_lines(sources):  # All of it is understood before a file is made.
                pass
            return 1 if restore_node(cluster, header, chain_lines(sources), options) else 0
    if options.list and len(chain) > 1:
        print('It goes on from', *(link['backupId'] for link, _ in chain[:-1]))
    return 0


def read_chain(cluster, manifest, documents):
    """The backup with all that it goes on from, the base first, each with the directory for its documents."""
    chain = [(manifest, documents)]
    while 'previous' in manifest:
        backup_id, sha256 = (manifest['previous'][name] for name in ('backupId', 'manifestSha256'))
        if not RUN_ID.fullmatch(backup_id):  # It names a directory.
            raise Refused(f'{manifest["backupId"]}: got {backup_id} before it, expected a backup ID')
        uri = f'{cluster}/backups/{backup_id}/backup.json'
        directory = os.path.join(documents, backup_id)
        manifest = read_document(uri, directory, sha256)
        expect(uri, manifest, {'backupId': backup_id, 'clusterId': chain[0][0]['clusterId']})
        chain.insert(0, (manifest, directory))
    return chain


def read_header(cluster, manifest, documents, host):
    """Answers where the node's part is, and its header."""
    backup = f'{cluster}/backups/{manifest["backupId"]}'
    node = next((each for each in manifest['nodes'] if each['hostId'] == host), None)
    if node is None:
        raise Refused(f'{backup}/backup.json: got no node {host}, which the backup that goes on from it has')
    prefix, kept = f'{backup}/nodes/{node["instanceArn"]}', os.path.join(documents, host)
    header = read_document(f'{prefix}/node.json', kept, node['headerSha256'])
    identity = {name: manifest[name] for name in ('backupId', 'clusterId')}
    totals = {name: node[name] for name in ('hostId', 'instanceArn', 'files', 'bytes')}
    expect(f'{prefix}/node.json', header, {**identity, **totals})
    return (prefix, kept, node), header


def read_node(cluster, chain, host, options):
    """Answers the newest header, and the listings, the base's first. Increments hold no system keyspaces."""
    sources, headers = [], []
    for manifest, documents in chain:
        (prefix, kept, node), header = read_header(cluster, manifest, documents, host)
        listing = fetch_document(f'{prefix}/files.gz', kept, node['listingSha256'])
        sources.append((f'{prefix}/files.gz', listing, len(header['dataDirectories'])))
        headers.append(header)
        check_totals(sources[-1], header)
        expect(f'{prefix}/node.json', header, {'dataDirectories': headers[0]['dataDirectories']})
    base, newest = headers[0], headers[-1]
    if options.system and base['schemaVersion'] != newest['schemaVersion']:
        raise Refused(f'--system: got schema {base["schemaVersion"]} in the base, expected {newest["schemaVersion"]}: '
                      f'restore the base {base["backupId"]} alone')
    known = {directory_of_table(table) for table in newest['tables']}
    system = [table for table in base['tables']
              if directory_of_table(table) not in known and is_system(table['keyspace'])]
    return {**newest, 'tables': newest['tables'] + system}, sources


def chain_lines(sources):
    """All listings as one, in their order. A file that two of them have must be the same."""
    last = None
    order = lambda line: (line['path'].encode('utf-16-be'), line['dataDirectory'])
    for line in heapq.merge(*(read_listing(*source) for source in sources), key=order):
        if last is None or order(last) != order(line):
            yield line
        elif last['sha256'] != line['sha256']:
            raise Refused(f'{line["path"]}: got SHA-256 {line["sha256"]}, expected {last["sha256"]} as before it')
        last = line


def restore_node(cluster, header, lines, options):
    """Answers how many files failed."""
    if len(options.targets) != len(header['dataDirectories']):
        directories = ' '.join(header['dataDirectories'])
        raise Refused(f'targets: got {len(options.targets)}, expected one for each of {directories}')
    tables = {f'{table["keyspace"]}.{table["table"]}' for table in header['tables']}
    live = {directory_of_table(table) for table in header['tables']}  # Tables that were dropped since the base are not.
    wanted = set(options.table or (each for each in tables if options.system or not is_system(each.split('.')[0])))
    if wanted - tables:
        raise Refused(f'--table: got {" ".join(wanted - tables)}, expected of {" ".join(sorted(tables))}')
    for target in options.targets:
        shutil.rmtree(os.path.join(target, PARTS), ignore_errors=True)
        os.makedirs(os.path.join(target, PARTS))
    lines = (line for line in lines
             if directory_of(line) in live and re.sub('/(.*)-.*', r'.\1', directory_of(line)) in wanted)
    made = kept = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        for batch in iter(lambda: list(itertools.islice(lines, LINES_AT_ONCE)), []):
            objects = {}
            for line in batch:
                objects.setdefault(object_of(cluster, line), []).append(line)
            for counts in pool.map(lambda each: restore_object(*each, options.targets), objects.items()):
                made, kept, failed = (sum(pair) for pair in zip((made, kept, failed), counts))
            print(f'{made} files made, {kept} there already, {failed} FAILED', flush=True)
    for target in options.targets:
        shutil.rmtree(os.path.join(target, PARTS))
    os.sync()
    return failed


def restore_object(uri, lines, targets):
    """Answers how many of its files were made, were there, and failed. A damaged pack yields what is right in it."""
    missing = [line for line in lines if not is_there(target_of(line, targets), line)]
    if not missing:
        return 0, len(lines), 0
    part = part_in(targets[missing[-1]['dataDirectory']])
    if not attempt(' '.join(line['path'] for line in missing), fetch_object, uri, part):
        return 0, len(lines) - len(missing), len(missing)
    pack = missing[0].get('pack')
    intact = pack is None or attempt('a pack', check_hash, uri, part, pack)
    made = sum(attempt(line['path'], make_file, uri, part, line, targets, line is missing[-1]) for line in missing)
    for line in missing:
        if 'damaged' in line:
            print(f'{line["path"]}: it was damaged already when it was stored', file=sys.stderr, flush=True)
    if os.path.exists(part):
        os.remove(part)
    return made, len(lines) - len(missing), len(missing) - made or int(not intact)


def attempt(what, step, *args):
    try:
        step(*args)
        return True
    except (Refused, OSError) as error:
        print(f'FAILED: {what}: {error}', file=sys.stderr, flush=True)
        return False


def make_file(uri, part, line, targets, is_last):
    """Under a temporary name, checked, synced, renamed. Of an object of its own, the last file is what was fetched."""
    file, target = part, target_of(line, targets)
    if 'pack' in line or not is_last:
        file = part_in(targets[line['dataDirectory']])
        copy(part, line.get('offset', 0), line['sizeBytes'] if 'pack' in line else os.path.getsize(part), file)
    expect(uri, {'size': os.path.getsize(file)}, {'size': line['sizeBytes']})
    check_hash(uri, file, line['sha256'])
    with open(file, 'rb') as written:
        os.fsync(written.fileno())
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.replace(file, target)


def copy(source, start, size, target):
    with open(source, 'rb') as read, open(target, 'wb') as written:
        read.seek(start)
        for left in range(size, 0, -BLOCK):
            written.write(read.read(min(left, BLOCK)))


def read_document(uri, directory, sha256):
    path = fetch_document(uri, directory, sha256)
    with open(path, 'rb') as file:
        document = parse(uri, file.read())
    expect(uri, document, {'formatVersion': FORMAT_VERSION})
    check_fields(uri, document, os.path.basename(path))
    for field in FIELDS.keys() & document.keys():
        for value in document[field] if isinstance(document[field], list) else [document[field]]:
            check_fields(f'{uri}: {field}', value, field)
    return document


def parse(where, text):
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Refused(f'{where}: got no JSON, expected an object: {error}') from error
    if not isinstance(value, dict):
        raise Refused(f'{where}: got {text!r}, expected a JSON object')
    return value


def check_fields(where, value, name):
    fields = FIELDS[name].split()
    needed = {field for field in fields if not field.startswith('?')}
    if not needed <= value.keys() <= {field.lstrip('?') for field in fields}:
        raise Refused(f'{where}: got the fields {" ".join(value)}, expected {FIELDS[name]}')


def read_listing(where, path, directories):
    """One line at a time: there may be millions."""
    with gzip.open(path, 'rt', encoding='utf-8', newline='\n') as file:
        for number, text in enumerate(file, 1):
            line = parse(f'{where}: line {number}', text)
            check_fields(f'{where}: line {number}', line, 'files.gz')
            counts = [line['sizeBytes'], line['dataDirectory'], line.get('offset', 0)]
            if not (
                PATH.fullmatch(line['path']) and not {'.', '..'} & set(line['path'].split('/'))
                and all(isinstance(count, int) and count >= 0 for count in counts)
                and line['dataDirectory'] < directories
                and SHA256.fullmatch(line['sha256']) and SHA256.fullmatch(line.get('pack', line['sha256']))
                and line.get('variant', '2') in VARIANTS and ('pack' in line) == ('offset' in line)
            ):
                raise Refused(f'{where}: line {number}: got {text.strip()}, expected a file below a data directory')
            yield line


def check_totals(source, header):
    totals = {}
    for line in read_listing(*source):
        files, size = totals.get(directory_of(line), (0, 0))
        totals[directory_of(line)] = (files + 1, size + line['sizeBytes'])
    listed = {directory_of_table(each): each for each in header['tables']}
    expect(source[0], totals, {name: (each['files'], each['bytes']) for name, each in listed.items() if each['files']})
    expect(source[0], {'tables': sorted(totals.keys() - listed.keys())}, {'tables': []})


def fetch_document(uri, directory, sha256):
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, uri.rsplit('/', 1)[1])
    fetch(uri, path)
    if sha256 is not None:
        check_hash(uri, path, sha256)
    return path


def fetch(uri, path):
    run = subprocess.run(['aws', 's3', 'cp', '--only-show-errors', uri, path], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    if run.returncode != 0:
        raise Refused(f'{uri}: got exit code {run.returncode} of aws s3 cp, expected 0: {run.stdout.strip()}')


def fetch_object(uri, path):
    fetch(uri, path)
    name, *suffixes = uri.rsplit('/', 1)[1].split('.')
    if 'enc' in suffixes:
        env = {**os.environ, 'RINGVAULT_DATA_KEY': data_key_of(uri, path)}
        decode(uri, path, ['node', DECRYPT, name, path, f'{path}.plain'], env=env)
    if 'zst' in suffixes:
        with open(path, 'rb') as stored, open(f'{path}.plain', 'wb') as plain:
            decode(uri, path, ['zstd', '-dcq'], stdin=stored, stdout=plain)


def decode(uri, path, command, **options):
    run = subprocess.run(command, stderr=subprocess.PIPE, check=False, **options)
    if run.returncode != 0:
        said = run.stderr.decode().strip()
        raise Refused(f'{uri}: got exit code {run.returncode} of {command[0]}, expected 0: {said}')
    os.replace(f'{path}.plain', path)


def data_key_of(uri, path):
    """Base64 of the key that the object's header has wrapped. KMS is asked once for each."""
    with open(path, 'rb') as file:
        header = file.read(512)
    wrapped = header[10:10 + int.from_bytes(header[8:10], 'big')]
    with asking_kms:
        if wrapped not in data_keys:
            with open(f'{path}.key', 'wb') as file:
                file.write(wrapped)
            cluster = re.search('/clusters/([^/]+)/objects/', uri).group(1)
            run = subprocess.run(
                ['aws', 'kms', 'decrypt', '--ciphertext-blob', f'fileb://{path}.key', '--encryption-context',
                 f'ringvault:cluster={cluster}', '--query', 'Plaintext', '--output', 'text'],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                check=False)
            os.remove(f'{path}.key')
            if run.returncode != 0:
                raise Refused(f'{uri}: got exit code {run.returncode} of aws kms decrypt, expected 0: {run.stderr.strip()}')
            data_keys[wrapped] = run.stdout.strip()
        return data_keys[wrapped]


def expect(where, got, expected):
    for name, value in expected.items():
        if got.get(name) != value:
            raise Refused(f'{where}: {name}: got {got.get(name)}, expected {value}')


def check_hash(where, path, sha256):
    expect(where, {'SHA-256': sha256_of(path)}, {'SHA-256': sha256})


def is_there(path, line):
    return os.path.isfile(path) and os.path.getsize(path) == line['sizeBytes'] and sha256_of(path) == line['sha256']


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(BLOCK), b''):
            digest.update(block)
    return digest.hexdigest()


def object_of(cluster, line):
    name = line.get('pack', line['sha256'])
    return f'{cluster}/objects/{name[:2]}/{name}' + (f'.{line["variant"]}' if 'variant' in line else '')


def directory_of(line):
    return '/'.join(line['path'].split('/')[:2])


def directory_of_table(table):
    return f'{table["keyspace"]}/{table["table"]}-{table["tableId"]}'


def is_system(keyspace):
    return keyspace in SYSTEM_KEYSPACES


def target_of(line, targets):
    return os.path.join(targets[line['dataDirectory']], line['path'])


def part_in(target):
    return os.path.join(target, PARTS, f'{os.getpid()}-{next(part_numbers)}')


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('vault', help='s3://bucket or s3://bucket/prefix')
    parser.add_argument('cluster', help='cluster ID')
    parser.add_argument('backup', help='backup ID')
    parser.add_argument('host', nargs='?', help="the node's host ID")
    parser.add_argument('targets', nargs='*', help="a directory for each of the node's data directories, in order")
    parser.add_argument('--list', action='store_true', help="show the backup's nodes, and fetch no files")
    parser.add_argument('--table', action='append', metavar='KEYSPACE.TABLE', help='only this one; may be repeated')
    parser.add_argument('--system', action='store_true', help='system keyspaces too, for a node that lost everything')
    parser.add_argument('--sha256', help='of backup.json, where you know it')
    parser.add_argument('--documents', help='directory for manifests and schema.cql (default: backup-<backup ID>)')
    parser.add_argument('--parallel', type=int, default=4, help='transfers at a time (default: 4)')
    options = parser.parse_args()
    if bool(options.targets) == options.list:
        parser.error('give a host ID and a target for each data directory, or --list')
    return options


if __name__ == '__main__':
    try:
        sys.exit(main(arguments()))
    except (Refused, OSError, ValueError, EOFError) as failure:
        sys.exit(f'FAILED: {failure}')
