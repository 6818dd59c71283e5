// The ARNs of Step Functions, made and read in one place.
import { ServiceError } from '../endpoint/service.ts';

const MACHINE = /^(arn:[a-z-]+:states:[a-z0-9-]+:\d{12}):stateMachine:([^:/]+)$/;

export interface MachineArn {
  /** `arn:<partition>:states:<region>:<account>` */
  prefix: string;
  partition: string;
  region: string;
  account: string;
  name: string;
}

/** @throws ServiceError InvalidArn: versions and aliases are not implemented either */
export function parseMachineArn(arn: string): MachineArn {
  const [, prefix, name] = MACHINE.exec(arn) ?? [];
  const [, partition, , region, account] = prefix?.split(':') ?? [];
  if (!prefix || !name || !partition || !region || !account) {
    throw new ServiceError(
      'InvalidArn',
      `Invalid Arn: got ${arn}, expected arn:<partition>:states:<region>:<account>:stateMachine:<name>`,
    );
  }
  return { prefix, partition, region, account, name };
}

const ROLE = /^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/;

/** @throws ServiceError InvalidArn */
export function checkRoleArn(arn: string): void {
  if (!ROLE.test(arn)) throw new ServiceError('InvalidArn', `Invalid Role Arn: '${arn}'`);
}

export function executionArn(machineArn: string, executionName: string): string {
  const { prefix, name } = parseMachineArn(machineArn);
  return `${prefix}:execution:${name}:${executionName}`;
}

/** A Distributed Map's child: its machine is `<machine>/<label>`. */
export function childArns(machineArn: string, label: string, id: string) {
  const { prefix, name } = parseMachineArn(machineArn);
  return {
    stateMachineArn: `${machineArn}/${label}`,
    executionArn: `${prefix}:execution:${name}/${label}:${id}`,
  };
}

export function mapRunArn(machineArn: string, label: string, id: string): string {
  const { prefix, name } = parseMachineArn(machineArn);
  return `${prefix}:mapRun:${name}/${label}:${id}`;
}

const NAME = /^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u;

/** Names of machines and executions: 1 to 80 characters, none of them special. */
export function isValidName(name: string): boolean {
  return NAME.test(name);
}
