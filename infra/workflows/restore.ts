// The Restore workflow (restore, undo, release): its last statement is the procedure of a restore.
import { type IChainable, type IStateMachine, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { BEFORE_CLAIM, claim } from './claim.ts';
import { ANSWER, jsonata } from './expressions.ts';
import { describedHosts, notifyAndRelease } from './shared-parts.ts';
import { type WorkflowParts, WorkflowStates } from './states.ts';

const run = jsonata('$run');
const planKey = jsonata('$planKey');
const warnings = jsonata('$warnings');
const planned = true;

/** @param recover ends runs that failed, and runs that nobody executes any more */
export function restoreWorkflow(scope: Construct, parts: WorkflowParts, recover: IStateMachine): IChainable {
  const states = new WorkflowStates(scope, parts);
  const { failed, unreleased } = states.failRun(recover);
  states.failuresLeadTo(failed);

  const { discoverHosts, prepareEachHost, describeEachHost } = describedHosts(states);
  const planRestore = states.step(
    'PlanRestore',
    { run, request: jsonata('$request'), hostsKey: jsonata('$hostsKey') },
    {
      assign: {
        operation: jsonata(`${ANSWER}.operation`),
        dryRun: jsonata(`${ANSWER}.dryRun`),
        stopAfterDownload: jsonata(`${ANSWER}.stopAfterDownload`),
        online: jsonata(`${ANSWER}.online`),
        load: jsonata(`${ANSWER}.load`),
        deadNode: jsonata(`${ANSWER}.deadNode`),
        planKey: jsonata(`${ANSWER}.planKey`),
        nodesKey: jsonata(`${ANSWER}.nodesKey`),
        schemaNodeKey: jsonata(`${ANSWER}.schemaNodeKey`),
        indexNodeKey: jsonata(`${ANSWER}.indexNodeKey`),
        quietKey: jsonata(`${ANSWER}.quietKey`),
        seedsKey: jsonata(`${ANSWER}.seedsKey`),
        othersKey: jsonata(`${ANSWER}.othersKey`),
        repairKey: jsonata(`${ANSWER}.repairKey`),
        witnessesKey: jsonata(`${ANSWER}.witnessesKey`),
        summary: jsonata(`${ANSWER}.summary`),
      },
    },
  );

  // While Cassandra serves
  const checkEachHost = states.onEach('CheckEachHost', 'check-restore', { list: 'nodesKey', planned });
  const downloadEachNode = states.onEach('DownloadEachNode', 'download', { list: 'nodesKey', planned });
  const applySchema = states.onEach('ApplySchema', 'apply-schema', { list: 'schemaNodeKey', planned });

  const checkEachUndo = states.onEach('CheckEachUndo', 'check-undo', { list: 'nodesKey', planned });

  // Beside what the tables have: nothing stops
  const importOnEachNode = states.onEach('ImportOnEachNode', 'import', { list: 'nodesKey', planned });

  // The same to other nodes, or under other names
  const checkEachLoader = states.onEach('CheckEachLoader', 'check-loader', { list: 'nodesKey', planned });
  const loadFromEachHost = states.onEach('LoadFromEachHost', 'load', { list: 'nodesKey', planned });
  const applyIndexes = states.onEach('ApplyIndexes', 'apply-schema', {
    list: 'indexNodeKey',
    phase: 'apply-indexes',
    parameters: { afterLoad: true },
    planned,
  });

  // Where tables stay as they are: their writes come to rest on all nodes before the first stops
  const stopClients = states.onEach('StopClientsOfEachNode', 'stop-clients', { list: 'quietKey', planned });
  const settleWrites = states.onEach('SettleWritesOfEachNode', 'settle-writes', {
    list: 'quietKey',
    planned,
  });

  // From the first stop on there are two ends: all nodes on the new data, or Recover brings all back to the old
  const stopEachNode = states.onEach('StopEachNode', 'stop', { list: 'nodesKey', planned });
  const placeEachNode = states.onEach('PlaceEachNode', 'place', { list: 'nodesKey', planned });
  const describeEachWitness = states.onEach('DescribeEachWitness', 'describe', {
    list: 'witnessesKey',
    phase: 'describe-before-start',
    planned,
  });
  const checkDead = states.step('CheckDead', { run, planKey });
  const startSeedNodes = states.onEach('StartSeedNodes', 'start', { list: 'seedsKey', planned });
  const startOtherNodes = states.onEach('StartOtherNodes', 'start', { list: 'othersKey', planned });
  const describeEachHostAfter = states.onEach('DescribeEachHostAfter', 'describe', {
    list: 'hostsKey',
    phase: 'describe-after',
    planned,
  });
  const othersToStart = states.fork('OthersToStart', { "$othersKey = ''": describeEachHostAfter });
  const seedsToStart = states.fork('SeedsToStart', { "$seedsKey = ''": othersToStart });
  const verifyRestore = states.step('VerifyRestore', { run, planKey });
  const recordRun = states.step('RecordRun', { run, planKey, status: 'COMPLETED', warnings });
  const { notifyRun, releaseRun } = notifyAndRelease(states, unreleased);
  const planReturned = Succeed.jsonata(scope, 'PlanReturned', { outputs: jsonata('$summary') });
  const restoreDone = Succeed.jsonata(scope, 'RestoreDone', { outputs: run });

  const undo = states
    .onEach('StopEachNodeToUndo', 'stop', { list: 'nodesKey', planned })
    .next(states.onEach('PutBackEachNode', 'put-back', { list: 'nodesKey', planned }));
  undo.next(seedsToStart);
  describeEachWitness.next(checkDead).next(seedsToStart);
  // Where a dead node is brought back nothing runs yet
  const toStop = states.fork('ToStop', { "$operation = 'undo'": undo, $deadNode: placeEachNode });
  const writesToSettle = states.fork('WritesToSettle', { "$quietKey = ''": toStop });
  const online = states.fork('Online', { $load: loadFromEachHost, $online: importOnEachNode });
  importOnEachNode.next(describeEachHostAfter);
  const indexesToApply = states.fork('IndexesToApply', { "$indexNodeKey != ''": applyIndexes });
  loadFromEachHost.next(indexesToApply).next(describeEachHostAfter);
  applyIndexes.next(describeEachHostAfter);
  const schemaToApply = states.fork('SchemaToApply', { "$schemaNodeKey = ''": online });
  const release = states.onEach('ReleaseEachNode', 'release-old', { list: 'nodesKey', planned });
  const repairEachNode = states.onEach('RepairEachNode', 'repair', {
    list: 'repairKey',
    planned,
    tolerant: true,
    oneByOne: true,
  });
  repairEachNode.next(recordRun);
  const toRepair = states.fork('ToRepair', { "$repairKey != ''": repairEachNode });
  // Where there was no node, what lies aside is nobody's data
  release.next(toRepair);

  const onlyPlanned = states.fork('OnlyPlanned', { $dryRun: recordRun });
  checkEachLoader.next(onlyPlanned);
  checkEachUndo.next(onlyPlanned);

  return states
    .begin(BEFORE_CLAIM)
    .next(claim(scope, states, 'restore', recover))
    .next(discoverHosts)
    .next(prepareEachHost)
    .next(describeEachHost)
    .next(planRestore)
    .next(
      states.fork('Operation', {
        "$operation = 'undo'": checkEachUndo,
        "$dryRun and $operation = 'release'": recordRun,
        "$operation = 'release'": release,
        $load: checkEachLoader,
      }),
    )
    .next(checkEachHost)
    .next(onlyPlanned)
    .next(states.fork('Checked', { $load: schemaToApply, "$operation = 'undo'": writesToSettle }))
    .next(downloadEachNode)
    .next(states.fork('OnlyDownloaded', { $stopAfterDownload: recordRun }))
    .next(schemaToApply)
    .next(applySchema)
    .next(online)
    .next(writesToSettle)
    .next(stopClients)
    .next(settleWrites)
    .next(toStop)
    .next(stopEachNode)
    .next(placeEachNode)
    .next(states.fork('DeadNode', { $deadNode: describeEachWitness }))
    .next(seedsToStart)
    .next(startSeedNodes)
    .next(othersToStart)
    .next(startOtherNodes)
    .next(describeEachHostAfter)
    .next(verifyRestore)
    .next(states.fork('NothingToUndo', { $deadNode: release }))
    .next(toRepair)
    .next(recordRun)
    .next(states.fork('NothingToTell', { $dryRun: releaseRun }))
    .next(notifyRun)
    .next(releaseRun)
    .next(states.fork('Outcome', { $dryRun: planReturned }))
    .next(restoreDone);
}
