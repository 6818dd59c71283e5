// Notifications by an SNS topic; subscribers filter by the attributes.
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { callAws } from './aws-call.ts';
import type { Notifier } from './ports.ts';

/** SNS: "Subjects must be ASCII text … fewer than 100 characters". */
const SUBJECT_CHARACTERS = 99;

/** @param client by default one that takes region, endpoint and credentials from the environment */
export function snsNotifier({ topicArn, client }: { topicArn: string; client?: SNSClient }): Notifier {
  const sns = client ?? new SNSClient({ maxAttempts: 8 });
  return {
    async publish({ subject, text, attributes }) {
      const publish = new PublishCommand({
        TopicArn: topicArn,
        Subject: subject.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, SUBJECT_CHARACTERS),
        Message: text,
        MessageAttributes: Object.fromEntries(
          Object.entries(attributes).map(([name, value]) => [
            name,
            { DataType: 'String', StringValue: value || 'unknown' },
          ]),
        ),
      });
      const { MessageId } = await callAws('sns:Publish', () => sns.send(publish));
      return { messageId: MessageId ?? '' };
    },
  };
}
