// The demo's keyspace: one table for each thing that a restore can get wrong.

export const KEYSPACE = 'shop';

/** Everything in {@link KEYSPACE}, in an order that can be applied. */
export function schemaStatements(datacenter: string, replicas: number): string[] {
  return [
    `CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'NetworkTopologyStrategy', '${datacenter}': ${replicas}}`,
    `CREATE TYPE ${KEYSPACE}.address (street text, city text, lines list<text>)`,
    `CREATE TABLE ${KEYSPACE}.customers (id uuid PRIMARY KEY, name text, country text, home frozen<address>,
       tags set<text>, preferences map<text, text>, joined timestamp)`,
    `CREATE INDEX customers_by_country ON ${KEYSPACE}.customers (country)`,
    `CREATE TABLE ${KEYSPACE}.products (sku text PRIMARY KEY, title text, price decimal, stock int, picture blob)`,
    `CREATE CUSTOM INDEX products_by_stock ON ${KEYSPACE}.products (stock) USING 'StorageAttachedIndex'`,
    `CREATE TABLE ${KEYSPACE}.orders (id uuid PRIMARY KEY, customer uuid, placed timestamp, total decimal)`,
    `CREATE MATERIALIZED VIEW ${KEYSPACE}.orders_by_customer AS SELECT * FROM ${KEYSPACE}.orders
       WHERE customer IS NOT NULL AND id IS NOT NULL PRIMARY KEY (customer, id)`,
    `CREATE TABLE ${KEYSPACE}."OrderLines" ("OrderId" uuid, "LineNo" int, "Status" text STATIC, sku text,
       "Quantity" int, PRIMARY KEY ("OrderId", "LineNo")) WITH CLUSTERING ORDER BY ("LineNo" DESC)`,
    `CREATE TABLE ${KEYSPACE}.page_views (page text PRIMARY KEY, views counter)`,
    `CREATE TABLE ${KEYSPACE}.sessions (id uuid PRIMARY KEY, customer uuid, secret blob)`,
  ];
}
