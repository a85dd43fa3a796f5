-- Pruning: what a table's comment keeps for a time (keep=90-days(received_at)) is deleted by that column when it is
-- older. portero_retention does it, and its policies bound it: a young row, or one that is still being worked on, is not
-- there for it, whatever the function says. tests/test_every_table.py holds comment, index and policy together.

do $$
begin
  if not exists (select from pg_roles where rolname = 'portero_retention') then
    create role portero_retention nologin nobypassrls noinherit;
  end if;
end $$;
grant portero_retention to postgres;
grant usage on schema public, private to portero_retention;
grant execute on function private.require_server(), private.called_by_server() to portero_retention;

-- A contact is kept by when it was last heard of; keep_contacts() sets it, in the next file.
alter table public.contacts add column last_seen_at timestamptz not null default now();
create index contacts_age on public.contacts (last_seen_at);

comment on table public.contacts is
  'tenant=tenant_id personal=external_id,phone,name export=contact erase=contact keep=24-months(last_seen_at)';
comment on table public.conversations is
  'tenant=tenant_id personal=no export=contact erase=contact keep=with-contact';
comment on table public.inbox is
  'tenant=tenant_id personal=item export=no erase=contact keep=90-days(received_at)';
comment on table public.messages is
  'tenant=tenant_id personal=body export=contact erase=contact keep=24-months(created_at)';
comment on table public.outbox is
  'tenant=tenant_id personal=no export=no erase=contact keep=30-days(created_at)';
comment on table public.billing_events is
  'tenant=none personal=facts,item export=no erase=with-age keep=400-days(received_at)';
comment on table public.deletion_requests is
  'tenant=none personal=provider_user_id export=no erase=with-age keep=24-months(received_at)';

create policy retention_old on public.contacts for all to portero_retention
  using (last_seen_at < now() - interval '24 months'
    and (select private.called_by_server()));
create policy retention_old on public.inbox for all to portero_retention
  using (settled_at is not null and received_at < now() - interval '90 days'
    and (select private.called_by_server()));
create policy retention_old on public.messages for all to portero_retention
  using (created_at < now() - interval '24 months'
    and (select private.called_by_server()));
create policy retention_old on public.outbox for all to portero_retention
  using (state in ('sent', 'failed') and created_at < now() - interval '30 days'
    and (select private.called_by_server()));
create policy retention_old on public.billing_events for all to portero_retention
  using (settled_at is not null and received_at < now() - interval '400 days'
    and (select private.called_by_server()));
create policy retention_old on public.deletion_requests for all to portero_retention
  using (settled_at is not null and received_at < now() - interval '24 months'
    and (select private.called_by_server()));
create policy retention_old on public.usage_ledger for all to portero_retention
  using (used_at < now() - interval '60 months'
    and (select private.called_by_server()));
create policy retention_old on public.strikes for all to portero_retention
  using (struck_at < now() - interval '12 months'
    and (select private.called_by_server()));
create policy retention_old on public.consents for all to portero_retention
  using (given_at < now() - interval '60 months'
    and (select private.called_by_server()));
create policy retention_old on public.audit_log for all to portero_retention
  using (done_at < now() - interval '24 months'
    and (select private.called_by_server()));
create policy retention_old on public.erasure_ledger for all to portero_retention
  using (erased_at < now() - interval '60 months'
    and (select private.called_by_server()));

grant delete, select (id, last_seen_at) on public.contacts to portero_retention;
grant delete, select (id, received_at, settled_at) on public.inbox to portero_retention;
grant delete, select (id, created_at) on public.messages to portero_retention;
grant delete, select (id, created_at, state) on public.outbox to portero_retention;
grant delete, select (id, received_at, settled_at) on public.billing_events to portero_retention;
grant delete, select (id, received_at, settled_at) on public.deletion_requests to portero_retention;
grant delete, select (id, used_at) on public.usage_ledger to portero_retention;
grant delete, select (id, struck_at) on public.strikes to portero_retention;
grant delete, select (id, given_at) on public.consents to portero_retention;
grant delete, select (id, done_at) on public.audit_log to portero_retention;
grant delete, select (id, erased_at) on public.erasure_ledger to portero_retention;

-- One batch of at most p_limit rows a table, oldest first, of every table whose comment keeps it for a time: {table:
-- rows deleted}. Names and times come from the comments, which only a migration writes. Called again until it is empty.
create function public.prune(p_limit integer) returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_table record;
  v_deleted integer;
  v_result jsonb := '{}';
begin
  perform private.require_server();
  for v_table in
    select c.relname as name, m[1] || ' ' || m[2] as age, m[3] as by_column
    from pg_catalog.pg_class c,
      pg_catalog.regexp_match(pg_catalog.obj_description(c.oid, 'pg_class'), 'keep=(\d+)-(days|months)\((\w+)\)') m
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and m is not null
    order by c.relname
  loop
    execute format('delete from public.%1$I where id = any (array(select id from public.%1$I '
      'where %2$I < now() - $1 order by %2$I limit $2))', v_table.name, v_table.by_column)
      using v_table.age::interval, least(greatest(p_limit, 1), 10000);
    get diagnostics v_deleted = row_count;
    if v_deleted > 0 then
      v_result := v_result || jsonb_build_object(v_table.name, v_deleted);
    end if;
  end loop;
  return v_result;
end $$;
grant execute on function public.prune(integer) to service_role;

grant create on schema public to portero_retention;
alter function public.prune(integer) owner to portero_retention;
revoke create on schema public from portero_retention;
