// A certificate of its own for the S3 server's TLS, made anew for each run, and trusted by the subjects alone.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { execa } from 'execa';

export interface Certificate {
  keyStore: string;
  password: string;
  /** PEM. */
  certificate: string;
}

export async function makeCertificate(directory: string): Promise<Certificate> {
  const keyStore = join(directory, 'keystore.p12');
  const certificate = join(directory, 'certificate.pem');
  const password = randomBytes(12).toString('hex');
  const store = ['-keystore', keyStore, '-storepass', password, '-alias', 's3'];
  const about = [
    '-dname',
    'CN=127.0.0.1',
    '-ext',
    'SAN=ip:127.0.0.1',
    '-ext',
    'BC=ca:true',
    '-validity',
    '30',
  ];
  // What AWS's own certificates have.
  const key = ['-keyalg', 'RSA', '-keysize', '2048', '-storetype', 'PKCS12'];
  await execa('keytool', ['-genkeypair', ...store, ...about, ...key]);
  await execa('keytool', ['-exportcert', '-rfc', ...store, '-file', certificate]);
  return { keyStore, password, certificate };
}
