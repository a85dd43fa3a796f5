-- The life of a message as the server moves it: kept, claimed, settled, sent, seen. Server-only functions.

create function private.status_rank(p_status text) returns integer
language sql immutable
set search_path = ''
as $$
  select case p_status when 'received' then 0 when 'queued' then 0 when 'sent' then 1 when 'delivered' then 2
    when 'read' then 3 when 'played' then 4 when 'failed' then 5 end
$$;

-- A status moves its message forward, never back; a failure is final. Matched by our own outbox id, which the provider
-- returns, so that a status that overtakes the answer to the send still finds its message; else by the provider's id.
create function private.apply_status(p_tenant uuid, p_status jsonb, p_occurred_at timestamptz) returns uuid
language plpgsql
set search_path = ''
as $$
declare
  v_status text := p_status ->> 'status';
  -- Compared as a uuid, so that the primary key answers; what is none is somebody else's.
  v_outbox uuid := case when p_status ->> 'outbox_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then (p_status ->> 'outbox_id')::uuid end;
  v_message uuid;
begin
  select o.message_id into v_message from public.outbox o where o.tenant_id = p_tenant and o.id = v_outbox;
  if v_message is null then
    select m.id into v_message from public.messages m
      where m.tenant_id = p_tenant and m.provider_id = p_status ->> 'provider_id' limit 1;
  end if;
  if v_message is null or private.status_rank(v_status) is null then
    return null;
  end if;
  update public.messages m set
    status = case when private.status_rank(v_status) > private.status_rank(m.status) then v_status else m.status end,
    provider_id = coalesce(m.provider_id, p_status ->> 'provider_id'),
    sent_at = case when v_status = 'sent' then coalesce(m.sent_at, p_occurred_at) else m.sent_at end,
    delivered_at = case when v_status = 'delivered' then coalesce(m.delivered_at, p_occurred_at) else m.delivered_at end,
    read_at = case when v_status in ('read', 'played') then coalesce(m.read_at, p_occurred_at) else m.read_at end
    where m.tenant_id = p_tenant and m.id = v_message;
  update public.outbox o set
    state = case when v_status = 'failed' then 'failed' else 'sent' end,
    error = coalesce(o.error, left(p_status ->> 'error', 200)),
    claimed_until = null
    where o.tenant_id = p_tenant and o.message_id = v_message and o.state in ('pending', 'unconfirmed', 'sent');
  return v_message;
end $$;

-- One item of a webhook body, read once: whose it is, what it does, and what it carries.
create type private.arrival as (
  tenant_id uuid, channel_id uuid, kind text, key text, occurred_at timestamptz, item jsonb, external_id text,
  phone text, name text, type text, body text, provider_id text, status jsonb, place bigint);

-- The items of known channels in the order of the body. The number or page that an item names tells whose it is; an
-- event of an account goes to the account's first number. A body may hold an effect twice: the first one counts. A
-- time from the future is taken as now.
create function private.arrivals_of(p_items jsonb) returns private.arrival[]
language sql stable
set search_path = ''
as $$
  with items as (
    select i, place, i ->> 'channel' as kind, i ->> 'channel_id' as named, i ->> 'kind' = 'account' as is_account
    from jsonb_array_elements(p_items) with ordinality as e (i, place)
  ), routes as (
    select distinct on (n.kind, n.named, n.is_account) n.kind, n.named, n.is_account, c.id, c.tenant_id
    from (select distinct kind, named, is_account from items) n
    join public.channels c on c.kind = n.kind
      and (c.external_id = n.named or (n.is_account and c.account_id = n.named))
    order by n.kind, n.named, n.is_account, c.external_id = n.named desc, c.created_at, c.id
  ), arrivals as (
    select distinct on (r.tenant_id, i ->> 'key') row(
      r.tenant_id, r.id, i ->> 'kind', i ->> 'key', least((i ->> 'occurred_at')::timestamptz, now()), i -> 'item',
      i -> 'contact' ->> 'id', i -> 'contact' ->> 'phone', coalesce(i -> 'contact' ->> 'name', ''), i ->> 'type',
      coalesce(i ->> 'text', ''), i ->> 'provider_id', i -> 'status', place)::private.arrival as arrival, place
    from items join routes r using (kind, named, is_account)
    order by r.tenant_id, i ->> 'key', place
  )
  select coalesce(array_agg(arrival order by place), '{}') from arrivals
$$;

-- Keep every item of one webhook body, each once. Items: an array of {channel, channel_id, kind, key, occurred_at,
-- item} plus, for messages, {contact: {id, phone, name}, type, text, provider_id} and, for statuses, {status: {...}}.
-- Returns {kept, duplicate, unknown_channel, turns: [{tenant, conversation}]}: the turns to wake are those with an
-- item of this body that has no outcome yet, so that a provider's retry wakes again what was kept but never queued.
create function public.keep_inbox(p_items jsonb) returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_arrivals private.arrival[];
  v_tenant uuid;
  v_kept integer := 0;
  v_turns jsonb := '[]';
begin
  perform private.require_server();
  if jsonb_typeof(p_items) is distinct from 'array' then
    raise exception 'items must be an array' using errcode = '22023';
  end if;
  v_arrivals := private.arrivals_of(p_items);
  for v_tenant in select distinct tenant_id from unnest(v_arrivals) order by 1 loop
    perform private.enter_tenant(v_tenant);
    v_kept := v_kept + private.keep_arrivals(v_tenant, v_arrivals);
    v_turns := v_turns || coalesce((
      select jsonb_agg(distinct jsonb_build_object('tenant', b.tenant_id, 'conversation', b.conversation_id))
      from public.inbox b
      where b.tenant_id = v_tenant and b.outcome is null and b.kind = 'message'
        and b.effect_key = any (select key from unnest(v_arrivals))), '[]');
  end loop;
  return jsonb_build_object('kept', v_kept, 'duplicate', cardinality(v_arrivals) - v_kept,
    'unknown_channel', (select count(*) from jsonb_array_elements(p_items) as e (i)
      where not exists (select from public.channels c where c.kind = i ->> 'channel'
        and (c.external_id = i ->> 'channel_id' or (i ->> 'kind' = 'account' and c.account_id = i ->> 'channel_id')))),
    'turns', v_turns);
end $$;

create function private.keep_arrivals(p_tenant uuid, p_arrivals private.arrival[]) returns integer
language plpgsql
set search_path = ''
as $$
declare
  v_messages private.arrival[] := private.keep_contacts(p_tenant, p_arrivals);
  v_new integer;
  v_status record;
begin
  with new_inbox as (
    insert into public.inbox (tenant_id, channel_id, conversation_id, kind, effect_key, item, occurred_at, outcome, settled_at)
      select p_tenant, a.channel_id, v.id, a.kind, a.key, a.item, a.occurred_at,
        case when a.kind = 'account' then 'noted' end, case when a.kind = 'account' then now() end
      from (select * from unnest(v_messages) union all
        select * from unnest(p_arrivals) o where o.tenant_id = p_tenant and o.kind <> 'message') a
      left join public.contacts k on a.kind = 'message' and k.tenant_id = p_tenant and k.channel_id = a.channel_id
        and k.external_id = a.external_id
      left join public.conversations v on v.tenant_id = p_tenant and v.contact_id = k.id
      order by a.place
      on conflict (tenant_id, effect_key) do nothing
      returning id, effect_key, conversation_id
  ), new_messages as (
    insert into public.messages (tenant_id, conversation_id, inbox_id, author, kind, body, provider_id, status, occurred_at)
      select p_tenant, n.conversation_id, n.id, 'contact', a.type, a.body, a.provider_id, 'received', a.occurred_at
      from new_inbox n join unnest(v_messages) a on a.key = n.effect_key
  )
  select count(*) into v_new from new_inbox;

  for v_status in
    select b.id, a.status, a.occurred_at from unnest(p_arrivals) a
    join public.inbox b on b.tenant_id = p_tenant and b.effect_key = a.key
    where a.tenant_id = p_tenant and a.kind = 'status' and b.outcome is null order by a.occurred_at, a.place
  loop
    update public.inbox b set settled_at = now(), outcome = case
        when private.apply_status(p_tenant, v_status.status, v_status.occurred_at) is null then 'status_unmatched'
        else 'status_applied' end
      where b.tenant_id = p_tenant and b.id = v_status.id;
  end loop;
  return v_new;
end $$;

-- Contacts and conversations of the arriving messages; the messages come back with the id that their contact has
-- here. A contact known by phone takes the opaque id when the provider begins to give one, and a message that names
-- its sender by phone alone finds the contact that has this phone.
create function private.keep_contacts(p_tenant uuid, p_arrivals private.arrival[]) returns private.arrival[]
language plpgsql
set search_path = ''
as $$
declare
  v_messages private.arrival[];
begin
  update public.contacts k set external_id = a.external_id
    from unnest(p_arrivals) a
    where a.tenant_id = p_tenant and a.kind = 'message' and a.phone is not null and a.external_id <> a.phone
      and k.tenant_id = p_tenant and k.channel_id = a.channel_id and k.external_id = a.phone
      and not exists (select from public.contacts o where o.tenant_id = p_tenant and o.channel_id = a.channel_id
        and o.external_id = a.external_id);
  select coalesce(array_agg(row(a.tenant_id, a.channel_id, a.kind, a.key, a.occurred_at, a.item,
      coalesce(k.external_id, a.external_id), a.phone, a.name, a.type, a.body, a.provider_id, a.status, a.place
      )::private.arrival order by a.place), '{}')
    into v_messages
    from unnest(p_arrivals) a
    left join lateral (select c.external_id from public.contacts c where a.external_id = a.phone
      and c.tenant_id = p_tenant and c.channel_id = a.channel_id and c.phone = a.phone limit 1) k on true
    where a.tenant_id = p_tenant and a.kind = 'message';
  insert into public.contacts (tenant_id, channel_id, external_id, phone, name)
    select distinct on (a.channel_id, a.external_id) p_tenant, a.channel_id, a.external_id, a.phone, a.name
    from unnest(v_messages) a
    order by a.channel_id, a.external_id, a.place desc
    on conflict (tenant_id, channel_id, external_id) do update
      set phone = coalesce(excluded.phone, contacts.phone),
        name = case when excluded.name = '' then contacts.name else excluded.name end;
  insert into public.conversations (tenant_id, channel_id, contact_id, last_inbound_at)
    select p_tenant, a.channel_id, k.id, max(a.occurred_at)
    from unnest(v_messages) a join public.contacts k on k.tenant_id = p_tenant
      and k.channel_id = a.channel_id and k.external_id = a.external_id
    group by a.channel_id, k.id
    on conflict (tenant_id, contact_id) do update
      set last_inbound_at = greatest(conversations.last_inbound_at, excluded.last_inbound_at);
  return v_messages;
end $$;

-- Claim a conversation for one turn. Returns {state: claimed | busy | nothing | absent} and, when claimed, {turn,
-- fence, messages: [{inbox_id, kind, text}], history: [{author, text}], channel, handled_by, last_inbound_at, tenant: {...}}.
create function public.claim_turn(p_tenant uuid, p_conversation uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_conversation public.conversations;
  v_open jsonb;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_conversation from public.conversations v
    where v.tenant_id = p_tenant and v.id = p_conversation for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_conversation.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  select jsonb_agg(jsonb_build_object('inbox_id', b.id, 'kind', m.kind, 'text', m.body) order by b.occurred_at, b.received_at)
    into v_open
    from (select * from public.inbox i where i.tenant_id = p_tenant and i.conversation_id = p_conversation
      and i.outcome is null order by i.occurred_at limit 50) b
    join public.messages m on m.tenant_id = p_tenant and m.inbox_id = b.id;
  if v_open is null then
    return jsonb_build_object('state', 'nothing');
  end if;
  update public.conversations v set fence = v.fence + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where v.tenant_id = p_tenant and v.id = p_conversation
    returning * into v_conversation;
  return jsonb_build_object(
    'state', 'claimed', 'fence', v_conversation.fence, 'messages', v_open,
    'channel', (select c.kind from public.channels c where c.tenant_id = p_tenant and c.id = v_conversation.channel_id),
    'handled_by', v_conversation.handled_by, 'last_inbound_at', v_conversation.last_inbound_at,
    'history', (select coalesce(jsonb_agg(jsonb_build_object('author', h.author, 'text', h.body) order by h.occurred_at), '[]')
      from (select m.author, m.body, m.occurred_at from public.messages m
        where m.tenant_id = p_tenant and m.conversation_id = p_conversation and m.body <> ''
          and not exists (select from public.inbox b where b.tenant_id = p_tenant and b.id = m.inbox_id and b.outcome is null)
        order by m.occurred_at desc limit 10) h),
    'tenant', (select jsonb_build_object('name', t.name, 'language', t.language, 'instructions', t.instructions,
      'hand_off_sentence', t.hand_off_sentence) from public.tenants t where t.id = p_tenant));
end $$;

-- End a turn: outcomes for its inbox rows, at most one reply into the outbox, the claim given back; all or nothing.
-- p_outcomes: {inbox_id: outcome}. A worker whose claim was taken over gets 'claim lost' (P0001) and writes nothing.
create function public.settle_turn(p_tenant uuid, p_conversation uuid, p_fence bigint, p_outcomes jsonb,
  p_reply text, p_sources jsonb, p_handled_by text) returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  v_message uuid;
  v_outbox uuid;
  v_turn uuid := gen_random_uuid();
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.conversations v set claimed_until = null, handled_by = coalesce(p_handled_by, v.handled_by)
    where v.tenant_id = p_tenant and v.id = p_conversation and v.fence = p_fence and v.claimed_until is not null;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  update public.inbox b set outcome = p_outcomes ->> b.id::text, settled_at = now(), turn_id = v_turn
    where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null
      and p_outcomes ? b.id::text;
  if p_reply is not null then
    insert into public.messages (tenant_id, conversation_id, turn_id, author, kind, body, status, sources, occurred_at)
      values (p_tenant, p_conversation, v_turn, 'assistant', 'text', p_reply, 'queued', coalesce(p_sources, '[]'), now())
      returning id into v_message;
    insert into public.outbox (tenant_id, conversation_id, message_id)
      values (p_tenant, p_conversation, v_message) returning id into v_outbox;
  end if;
  return v_outbox;
end $$;

-- Claim one outbox row for sending. {state: claimed | busy | done | absent} and, when claimed, {fence, text, channel,
-- channel_id, recipient: {phone, id}, window_open}. The 24 h window is looked at now, not when the reply was queued.
create function public.claim_outbox(p_tenant uuid, p_outbox uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_outbox public.outbox;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_outbox from public.outbox o where o.tenant_id = p_tenant and o.id = p_outbox for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_outbox.state <> 'pending' then
    return jsonb_build_object('state', 'done');
  end if;
  if v_outbox.claimed_until > now() or v_outbox.next_attempt_at > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.outbox o set fence = o.fence + 1, attempts = o.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where o.tenant_id = p_tenant and o.id = p_outbox returning * into v_outbox;
  return (
    select jsonb_build_object('state', 'claimed', 'fence', v_outbox.fence, 'attempts', v_outbox.attempts,
      'text', m.body, 'channel', c.kind, 'channel_id', c.external_id,
      'recipient', jsonb_build_object('phone', k.phone, 'id', k.external_id),
      'window_open', coalesce(v.last_inbound_at > now() - interval '24 hours', false))
    from public.messages m
    join public.conversations v on v.tenant_id = p_tenant and v.id = m.conversation_id
    join public.channels c on c.tenant_id = p_tenant and c.id = v.channel_id
    join public.contacts k on k.tenant_id = p_tenant and k.id = v.contact_id
    where m.tenant_id = p_tenant and m.id = v_outbox.message_id);
end $$;

-- What came of a send: sent (with the provider's id), unconfirmed (no answer: a status will tell), later (try again
-- after p_delay seconds) or failed (final, with the reason). Nothing moves a row that is already sent or failed.
create function public.settle_outbox(p_tenant uuid, p_outbox uuid, p_fence bigint, p_result text, p_provider_id text,
  p_error text, p_delay integer) returns void
language plpgsql security definer
set search_path = ''
as $$
declare
  v_message uuid;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.outbox o set
    state = case when o.state <> 'pending' then o.state when p_result = 'later' then 'pending' else p_result end,
    error = left(p_error, 200), claimed_until = null,
    next_attempt_at = case when p_result = 'later' then now() + make_interval(secs => p_delay) else o.next_attempt_at end
    where o.tenant_id = p_tenant and o.id = p_outbox and o.fence = p_fence
    returning o.message_id into v_message;
  if v_message is null then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  update public.messages m set
    provider_id = coalesce(m.provider_id, p_provider_id),
    status = case when p_result = 'failed' and m.status = 'queued' then 'failed'
      when p_result = 'sent' and m.status = 'queued' then 'sent' else m.status end,
    -- Our own clock: the provider's statuses, one of which may have come first, tell whole seconds only.
    sent_at = case when p_result = 'sent' then now() else m.sent_at end
    where m.tenant_id = p_tenant and m.id = v_message;
end $$;

-- What was left lying: conversations with an unanswered item and outbox rows to send, older than p_seconds and not in
-- anybody's hands. Looks across tenants, so its owner may read ids and times only.
create function public.sweep(p_seconds integer) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  return jsonb_build_object(
    'turns', (select coalesce(jsonb_agg(jsonb_build_object('tenant', s.tenant_id, 'conversation', s.conversation_id)), '[]')
      from (select b.tenant_id, b.conversation_id from public.inbox b
        where b.outcome is null and b.kind = 'message' and b.received_at < now() - make_interval(secs => p_seconds)
        group by 1, 2 order by min(b.received_at) limit 500) s),
    'sends', (select coalesce(jsonb_agg(jsonb_build_object('tenant', s.tenant_id, 'outbox', s.id, 'conversation', s.conversation_id)), '[]')
      from (select o.tenant_id, o.id, o.conversation_id from public.outbox o
        where o.state = 'pending' and o.next_attempt_at < now() - make_interval(secs => p_seconds)
          and (o.claimed_until is null or o.claimed_until < now())
        order by o.next_attempt_at limit 500) s));
end $$;

grant execute on function public.keep_inbox(jsonb), public.claim_turn(uuid, uuid, integer),
  public.settle_turn(uuid, uuid, bigint, jsonb, text, jsonb, text), public.claim_outbox(uuid, uuid, integer),
  public.settle_outbox(uuid, uuid, bigint, text, text, text, integer), public.sweep(integer) to service_role;

grant create on schema public, private to portero_service, portero_sweep;
alter function private.status_rank(text) owner to portero_service;
alter function private.apply_status(uuid, jsonb, timestamptz) owner to portero_service;
alter type private.arrival owner to portero_service;
alter function private.arrivals_of(jsonb) owner to portero_service;
alter function private.keep_arrivals(uuid, private.arrival[]) owner to portero_service;
alter function private.keep_contacts(uuid, private.arrival[]) owner to portero_service;
alter function public.keep_inbox(jsonb) owner to portero_service;
alter function public.claim_turn(uuid, uuid, integer) owner to portero_service;
alter function public.settle_turn(uuid, uuid, bigint, jsonb, text, jsonb, text) owner to portero_service;
alter function public.claim_outbox(uuid, uuid, integer) owner to portero_service;
alter function public.settle_outbox(uuid, uuid, bigint, text, text, text, integer) owner to portero_service;
alter function public.sweep(integer) owner to portero_sweep;
revoke create on schema public, private from portero_service, portero_sweep;

-- "Where did my message go?" is one query: a member reads the way of each message and of the reply that ended its turn.
create view public.timeline with (security_invoker = true) as
  select b.tenant_id, b.conversation_id, b.id as inbox_id, b.occurred_at, b.received_at, b.settled_at, b.outcome,
    m.provider_id, m.kind, m.body as text, r.body as reply, r.status as reply_status, r.sources, r.created_at as replied_at,
    r.sent_at, r.delivered_at, r.read_at
  from public.inbox b
  join public.messages m on m.tenant_id = b.tenant_id and m.inbox_id = b.id
  left join public.messages r on r.tenant_id = b.tenant_id and r.turn_id = b.turn_id
  where b.kind = 'message';
grant select on public.timeline to authenticated;
