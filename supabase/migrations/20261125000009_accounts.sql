-- What a business has agreed to, may use, has used, and what was done in its name.
-- Volumes, 10,000 tenants: 1 subscription each; 1 million ledger rows a day; 1,000 strikes, 5,000 consents and 50,000
-- audit entries a day. All but plans and subscriptions grow without bound and are pruned by age (prune()): no table here
-- is partitioned, since a per-tenant unique key cannot span partitions by time.

create table public.plans (
  id text primary key check (id ~ '^[a-z][a-z0-9_]{1,39}$'),
  name text not null check (char_length(name) between 1 and 80),
  -- What a month of it may consume, by resource; limits() of a tenant are these.
  limits jsonb not null check (jsonb_typeof(limits) = 'object'),
  created_at timestamptz not null default now()
);
comment on table public.plans is 'tenant=none personal=no export=no erase=never keep=always';

create table public.subscriptions (
  tenant_id uuid primary key references public.tenants (id) on delete cascade,
  plan_id text not null references public.plans (id),
  state text not null check (state in ('trialing', 'active', 'past_due', 'paused', 'canceled')),
  -- Null while nobody pays: the trial and the free plan.
  provider text check (provider in ('mercadopago', 'paddle')),
  provider_id text check (char_length(provider_id) between 1 and 128),
  period_ends_at timestamptz,
  updated_at timestamptz not null default now(),
  check ((provider is null) = (provider_id is null)),
  -- A billing event names a subscription, the subscription names the tenant. Members cannot write here: no oracle.
  unique (provider, provider_id)
);
comment on table public.subscriptions is
  'tenant=tenant_id personal=no export=owner erase=with-tenant keep=while-customer';
create index subscriptions_plan on public.subscriptions (plan_id);

-- What was consumed, a row a hold and resource. Append-only; Redis counts, this remembers.
create table public.usage_ledger (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  channel_id uuid,
  resource text not null check (resource in ('ai', 'embedding', 'file', 'send')),
  quantity bigint not null check (quantity >= 0),
  cost_microdollars bigint not null check (cost_microdollars >= 0),
  hold_id uuid not null,
  used_at timestamptz not null default now(),
  -- A hold that is settled twice is charged once.
  unique (tenant_id, hold_id, resource),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete set null (channel_id)
);
comment on table public.usage_ledger is
  'tenant=tenant_id personal=no export=owner erase=with-tenant keep=60-months(used_at)';
-- Usage by day; retention; the foreign key.
create index usage_ledger_days on public.usage_ledger (tenant_id, used_at);
create index usage_ledger_age on public.usage_ledger (used_at);
create index usage_ledger_channel on public.usage_ledger (tenant_id, channel_id) where channel_id is not null;

-- An attempt to manipulate the assistant.
create table public.strikes (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  contact_id uuid not null,
  -- The rule that saw it, not the words.
  rule text not null check (rule ~ '^[a-z][a-z0-9_.]{0,79}$'),
  struck_at timestamptz not null default now(),
  expires_at timestamptz not null,
  lifted_at timestamptz,
  foreign key (tenant_id, contact_id) references public.contacts (tenant_id, id) on delete cascade,
  check (expires_at > struck_at)
);
comment on table public.strikes is
  'tenant=tenant_id personal=no export=contact erase=contact keep=12-months(struck_at)';
-- Which strikes of this contact still count?
create index strikes_contact on public.strikes (tenant_id, contact_id, expires_at);
create index strikes_age on public.strikes (struck_at);

-- Who agreed to what, in which version of the text. A contact (an opt-in or opt-out) or a member (terms, cookies).
create table public.consents (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  contact_id uuid,
  user_id uuid,
  purpose text not null check (purpose in ('terms', 'privacy', 'cookies', 'messages')),
  granted boolean not null,
  version text not null check (char_length(version) between 1 and 40),
  given_at timestamptz not null default now(),
  check ((contact_id is null) <> (user_id is null)),
  foreign key (tenant_id, contact_id) references public.contacts (tenant_id, id) on delete cascade,
  -- Through members, so that it tells nothing about who has an account.
  foreign key (tenant_id, user_id) references public.members (tenant_id, user_id) on delete cascade
);
comment on table public.consents is
  'tenant=tenant_id personal=user_id export=contact erase=contact keep=60-months(given_at)';
-- The latest word of a contact, or of a member, on a purpose.
create index consents_contact on public.consents (tenant_id, contact_id, purpose, given_at desc);
create index consents_user on public.consents (tenant_id, user_id, purpose, given_at desc) where user_id is not null;
create index consents_age on public.consents (given_at);

-- What was done in a business's name, and by whom. Append-only.
create table public.audit_log (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  -- The member who did it; null when the server did.
  user_id uuid,
  action text not null check (action ~ '^[a-z][a-z0-9_.]{0,79}$'),
  -- The row it was done to.
  subject_id uuid,
  done_at timestamptz not null default now()
);
comment on table public.audit_log is
  'tenant=tenant_id personal=user_id export=owner erase=with-tenant keep=24-months(done_at)';
create index audit_log_latest on public.audit_log (tenant_id, done_at desc);
create index audit_log_age on public.audit_log (done_at);

-- What was erased, so that a restored backup can be erased again. It outlives its tenant: no foreign key.
create table public.erasure_ledger (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  subject text not null check (subject in ('tenant', 'member', 'contact')),
  -- The id of the row that was erased. It is nobody's any more.
  subject_id uuid not null,
  erased_at timestamptz not null default now(),
  unique (tenant_id, subject, subject_id)
);
comment on table public.erasure_ledger is
  'tenant=tenant_id personal=no export=no erase=never keep=60-months(erased_at)';
create index erasure_ledger_age on public.erasure_ledger (erased_at);

-- Which of a user's tenants are theirs to run. No argument, like my_tenants(): nobody else can be asked about.
create function private.owned_tenants() returns setof uuid
language sql stable security definer
set search_path = ''
as $$ select m.tenant_id from public.members m where m.user_id = private.user_id() and m.role = 'owner' $$;
grant execute on function private.owned_tenants() to authenticated;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['plans', 'subscriptions', 'usage_ledger', 'strikes', 'consents', 'audit_log',
      'erasure_ledger'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
  end loop;
  foreach v_table in array array['subscriptions', 'usage_ledger', 'strikes', 'consents', 'audit_log', 'erasure_ledger'] loop
    execute format('create policy service_tenant on public.%I for all to portero_service '
      'using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()))', v_table);
    execute format('grant select, insert on public.%I to portero_service', v_table);
  end loop;
  foreach v_table in array array['subscriptions', 'usage_ledger', 'audit_log'] loop
    execute format('create policy owner_reads on public.%I for select to authenticated '
      'using (tenant_id in (select private.owned_tenants()))', v_table);
    execute format('grant select on public.%I to authenticated', v_table);
  end loop;
end $$;

create policy everybody_reads on public.plans for select to authenticated
  using ((select private.user_id()) is not null);
grant select on public.plans to authenticated;

-- Plan, state and period are the server's to change; the strike is the server's to give, and to lift at an owner's word.
grant update (plan_id, state, provider, provider_id, period_ends_at, updated_at) on public.subscriptions to portero_service;
grant update (lifted_at) on public.strikes to portero_service;

create policy member_reads on public.strikes for select to authenticated
  using (tenant_id in (select private.my_tenants()));
grant select on public.strikes to authenticated;

-- A member sees what the business's contacts agreed to, and of members only their own word.
create policy member_reads on public.consents for select to authenticated
  using (tenant_id in (select private.my_tenants()) and (user_id is null or user_id = (select private.user_id())));
create policy member_speaks_for_self on public.consents for insert to authenticated
  with check (tenant_id in (select private.my_tenants()) and user_id = (select private.user_id()));
grant select on public.consents to authenticated;
grant insert (tenant_id, user_id, purpose, granted, version) on public.consents to authenticated;

-- Ids and times are the database's to give: who could choose an id could ask whether it is taken.
revoke insert on public.knowledge_files, public.knowledge_chunks from authenticated;
grant insert (tenant_id, name, media_type, bytes, sha256, object_key) on public.knowledge_files to authenticated;
grant insert (tenant_id, file_id, position, body, embedding) on public.knowledge_chunks to authenticated;

-- Name, language and instructions are the owner's to change; an agent answers customers.
drop policy member_changes on public.tenants;
create policy owner_changes on public.tenants for update to authenticated
  using (id in (select private.owned_tenants())) with check (id in (select private.owned_tenants()));

create function private.record_action(p_tenant uuid, p_action text, p_subject uuid) returns void
language sql
set search_path = ''
as $$
  insert into public.audit_log (tenant_id, user_id, action, subject_id)
    values (p_tenant, private.user_id(), p_action, p_subject)
$$;

grant create on schema private to portero_service;
alter function private.owned_tenants() owner to portero_service;
alter function private.record_action(uuid, text, uuid) owner to portero_service;
revoke create on schema private from portero_service;

-- Connecting a number is an action that the owner finds in the audit log.
create or replace function public.connect_channel(
  p_tenant uuid, p_kind text, p_external_id text, p_account_id text, p_display_name text)
returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  v_channel uuid;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select c.id into v_channel from public.channels c
    where c.tenant_id = p_tenant and c.kind = p_kind and c.external_id = p_external_id;
  if v_channel is null then
    insert into public.channels (tenant_id, kind, external_id, account_id, display_name)
      values (p_tenant, p_kind, p_external_id, p_account_id, p_display_name) returning id into v_channel;
    perform private.record_action(p_tenant, 'channel.connected', v_channel);
  end if;
  return v_channel;
end $$;
