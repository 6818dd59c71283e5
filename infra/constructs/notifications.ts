// The topic that says how runs ended and which alarm was raised, and who is told.
import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { SubscriptionFilter, SubscriptionProtocol, Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription, UrlSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import type { ClusterConfiguration, RingvaultConfiguration } from '../../contracts/configuration.ts';
import { UNKNOWN_CLUSTER } from '../../contracts/identifiers.ts';

export class Notifications extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, configuration: RingvaultConfiguration) {
    super(scope, id);
    this.topic = new Topic(this, 'Topic', { displayName: 'Ringvault', enforceSSL: true });
    // A topic policy of our own replaces the default one, by which alarms of the account could publish.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'Alarms',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    for (const [email, filterPolicy] of subscribers(
      configuration,
      (cluster) => cluster.notifications.emails,
    )) {
      this.topic.addSubscription(new EmailSubscription(email, { filterPolicy }));
    }
    for (const [url, filterPolicy] of subscribers(configuration, (cluster) => cluster.notifications.urls)) {
      this.topic.addSubscription(
        new UrlSubscription(url, { protocol: SubscriptionProtocol.HTTPS, filterPolicy }),
      );
    }
  }
}

/** Each address once, whatever number of clusters names it: SNS knows a subscription by its address. */
function subscribers(
  configuration: RingvaultConfiguration,
  addresses: (cluster: ClusterConfiguration) => string[],
): Map<string, Record<string, SubscriptionFilter>> {
  const clusters = new Map<string, string[]>();
  for (const [clusterId, cluster] of Object.entries(configuration.clusters)) {
    for (const address of new Set(addresses(cluster))) {
      clusters.set(address, [...(clusters.get(address) ?? []), clusterId]);
    }
  }
  // Refused starts of a cluster that is not deployed concern whoever may have meant theirs. Alarms carry no attributes.
  return new Map(
    [...clusters].map(([address, ids]) => [
      address,
      { clusterId: new SubscriptionFilter([...ids, UNKNOWN_CLUSTER, { exists: false }]) },
    ]),
  );
}
