-- Contacts, conversations, messages, inbox and outbox.
-- Volumes a day: 2 million inbox rows (three of four are statuses), 500,000 messages. Inbox rows older than 90 days and
-- settled outbox rows older than 30 days are pruned by received_at / created_at (their indexes end with it).

create table public.contacts (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  channel_id uuid not null,
  -- The provider's opaque id: BSUID or wa_id on WhatsApp, PSID, IGSID. The phone is optional since 2026.
  external_id text not null check (char_length(external_id) between 1 and 128),
  phone text check (phone ~ '^[0-9]{5,20}$'),
  name text not null default '' check (char_length(name) <= 256),
  created_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique (tenant_id, channel_id, external_id),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete cascade
);
-- arriving(): the contact that has this phone.
create index contacts_phone on public.contacts (tenant_id, channel_id, phone) where phone is not null;
comment on table public.contacts is
  'tenant=tenant_id personal=external_id,phone,name export=contact erase=contact keep=24-months-after-last-message';

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  channel_id uuid not null,
  contact_id uuid not null,
  handled_by text not null default 'assistant' check (handled_by in ('assistant', 'person')),
  last_inbound_at timestamptz,
  -- One live claim: a turn holds the conversation until claimed_until; fence numbers the claims.
  fence bigint not null default 0,
  claimed_until timestamptz,
  created_at timestamptz not null default now(),
  unique (tenant_id, id),
  -- keep_inbox(): three photos in three parallel webhooks are one conversation.
  unique (tenant_id, contact_id),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete cascade,
  foreign key (tenant_id, contact_id) references public.contacts (tenant_id, id) on delete cascade
);
comment on table public.conversations is
  'tenant=tenant_id personal=no export=contact erase=contact keep=24-months-after-last-message';
-- The console's list: latest conversations of a tenant.
create index conversations_latest on public.conversations (tenant_id, last_inbound_at desc);
create index conversations_channel on public.conversations (tenant_id, channel_id);

create table public.inbox (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  channel_id uuid not null,
  conversation_id uuid,
  kind text not null check (kind in ('message', 'status', 'account')),
  effect_key text not null check (char_length(effect_key) between 1 and 600),
  item jsonb not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null default now(),
  turn_id uuid,
  outcome text check (outcome in (
    'replied', 'merged', 'handed_to_person', 'opted_out', 'over_budget', 'outside_window', 'blocked', 'unsupported',
    'failed', 'status_applied', 'status_unmatched', 'noted')),
  settled_at timestamptz,
  unique (tenant_id, id),
  unique (tenant_id, effect_key),
  check ((outcome is null) = (settled_at is null)),
  check (kind <> 'message' or conversation_id is not null),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete cascade,
  foreign key (tenant_id, conversation_id) references public.conversations (tenant_id, id) on delete cascade
);
comment on table public.inbox is 'tenant=tenant_id personal=item export=no erase=contact keep=90-days';
-- claim_turn() and sweep(): what has no outcome yet.
create index inbox_open on public.inbox (tenant_id, conversation_id, occurred_at) where outcome is null;
create index inbox_sweep on public.inbox (received_at) where outcome is null;
create index inbox_channel on public.inbox (tenant_id, channel_id);
create index inbox_conversation on public.inbox (tenant_id, conversation_id);
-- Retention prunes settled rows by age.
create index inbox_age on public.inbox (received_at);

create table public.messages (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  conversation_id uuid not null,
  -- Where a contact's message came from; null for what we send.
  inbox_id uuid,
  -- The turn that this reply ends, the same as in the inbox rows that it answers.
  turn_id uuid,
  author text not null check (author in ('contact', 'assistant', 'person')),
  kind text not null check (char_length(kind) between 1 and 40),
  body text not null default '' check (char_length(body) <= 65536),
  provider_id text check (char_length(provider_id) <= 512),
  status text not null check (status in ('received', 'queued', 'sent', 'delivered', 'read', 'played', 'failed')),
  sources jsonb not null default '[]',
  occurred_at timestamptz not null,
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  created_at timestamptz not null default now(),
  unique (tenant_id, id),
  foreign key (tenant_id, conversation_id) references public.conversations (tenant_id, id) on delete cascade,
  foreign key (tenant_id, inbox_id) references public.inbox (tenant_id, id) on delete set null (inbox_id)
);
comment on table public.messages is 'tenant=tenant_id personal=body export=contact erase=contact keep=24-months';
-- A conversation's history, newest first; a status finds its message.
create index messages_history on public.messages (tenant_id, conversation_id, occurred_at desc);
create unique index messages_inbox on public.messages (tenant_id, inbox_id) where inbox_id is not null;
create index messages_turn on public.messages (tenant_id, turn_id) where turn_id is not null;
create index messages_provider on public.messages (tenant_id, provider_id) where provider_id is not null;

create table public.outbox (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  conversation_id uuid not null,
  message_id uuid not null,
  -- pending: to be sent; unconfirmed: the provider may have it, a status will tell; sent and failed are final.
  state text not null default 'pending' check (state in ('pending', 'unconfirmed', 'sent', 'failed')),
  attempts integer not null default 0,
  fence bigint not null default 0,
  claimed_until timestamptz,
  next_attempt_at timestamptz not null default now(),
  error text check (char_length(error) <= 200),
  created_at timestamptz not null default now(),
  unique (tenant_id, message_id),
  foreign key (tenant_id, conversation_id) references public.conversations (tenant_id, id) on delete cascade,
  foreign key (tenant_id, message_id) references public.messages (tenant_id, id) on delete cascade
);
comment on table public.outbox is 'tenant=tenant_id personal=no export=no erase=contact keep=30-days';
create index outbox_conversation on public.outbox (tenant_id, conversation_id);
create index outbox_sweep on public.outbox (next_attempt_at) where state = 'pending';
create index outbox_age on public.outbox (created_at);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['contacts', 'conversations', 'messages', 'inbox', 'outbox'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('create policy service_tenant on public.%I for all to portero_service '
      'using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()))', v_table);
    execute format('grant select, insert, update on public.%I to portero_service', v_table);
  end loop;
  -- inbox and outbox are the service's own; what people may read of a message stands in messages.
  foreach v_table in array array['contacts', 'conversations', 'messages'] loop
    execute format('create policy member_reads on public.%I for select to authenticated '
      'using (tenant_id in (select private.my_tenants()))', v_table);
    execute format('grant select on public.%I to authenticated', v_table);
  end loop;
end $$;

create policy member_reads on public.inbox for select to authenticated
  using (tenant_id in (select private.my_tenants()));
-- The owner sees when a message came and how it ended, not the provider's raw item.
grant select (id, tenant_id, channel_id, conversation_id, kind, occurred_at, received_at, turn_id, outcome,
  settled_at) on public.inbox to authenticated;

create policy sweep_open on public.inbox for select to portero_sweep using (outcome is null);
create policy sweep_pending on public.outbox for select to portero_sweep using (state = 'pending');
grant select (id, tenant_id, conversation_id, kind, received_at, outcome) on public.inbox to portero_sweep;
grant select (id, tenant_id, conversation_id, next_attempt_at, claimed_until, state) on public.outbox to portero_sweep;
