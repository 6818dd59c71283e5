// The switches that resume applications if their run does not: one-time schedules in a group of their own, set by PauseApplications
// before the first pause, cleared by ResumeApplications, and by PauseApplications where nobody is to be resumed by them.
import { Aws, Lazy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { ScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';

export class PauseSwitch extends Construct {
  private readonly group: ScheduleGroup;
  private readonly role: Role;
  private readonly resumeArn: string;
  private resume?: IFunction;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.group = new ScheduleGroup(this, 'Group');
    this.resumeArn = Lazy.string({ produce: () => this.resume?.functionArn });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Aws.ACCOUNT_ID,
            'aws:SourceArn': this.group.scheduleGroupArn,
          },
        },
      }),
      description: 'Ringvault: resumes applications that their run has left paused',
    });
    this.role.addToPolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [this.resumeArn] }),
    );
  }

  /** To be said once, when there is the function. */
  resumesBy(resume: IFunction): void {
    this.resume = resume;
  }

  /** Who sets one may clear it, too. */
  statements(may: 'set' | 'clear'): PolicyStatement[] {
    const schedules = Stack.of(this).formatArn({
      service: 'scheduler',
      resource: 'schedule',
      resourceName: `${this.group.scheduleGroupName}/*`,
    });
    const clear = new PolicyStatement({ actions: ['scheduler:DeleteSchedule'], resources: [schedules] });
    if (may === 'clear') return [clear];
    return [
      clear,
      new PolicyStatement({ actions: ['scheduler:CreateSchedule'], resources: [schedules] }),
      new PolicyStatement({
        actions: ['iam:PassRole'],
        resources: [this.role.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
      }),
    ];
  }

  /** As the steps are told of it. */
  toJson(may: 'set' | 'clear'): string {
    const { scheduleGroupName: groupName } = this.group;
    const target = { functionArn: this.resumeArn, roleArn: this.role.roleArn };
    return Stack.of(this).toJsonString({ groupName, ...(may === 'set' && target) });
  }
}
