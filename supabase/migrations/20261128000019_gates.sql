-- The gates of a conversation, where the database can hold them: a burst is waited for, who said stop hears nothing more,
-- and whoever took over is not talked over, not even by a reply that was on its way (docs/decisions/0012).

-- So many seconds after a customer's last message the assistant begins to answer all of them. Five times the longest is
-- half of what a worker has.
alter table public.tenants add column quiet_seconds smallint not null default 3 check (quiet_seconds between 0 and 6);
alter table public.contacts add column opted_out_at timestamptz;
-- How many turns have taken it up: one that fails every worker must end too.
alter table public.inbox add column attempts smallint not null default 0;
-- When a person took over; what the assistant wrote before and is still on its way is not sent.
alter table public.conversations add column taken_over_at timestamptz;

alter table public.inbox drop constraint inbox_kind_check;
alter table public.inbox add constraint inbox_kind_check check (kind in ('message', 'status', 'account', 'echo'));
alter table public.inbox drop constraint inbox_outcome_check;
alter table public.inbox add constraint inbox_outcome_check check (outcome in (
  'replied', 'merged', 'handed_to_person', 'opted_out', 'over_budget', 'outside_window', 'blocked', 'looped',
  'unsupported', 'failed', 'status_applied', 'status_unmatched', 'noted'));

alter type private.arrival add attribute wish text;
do $$
declare
  v_arrivals text := pg_get_functiondef('private.arrivals_of(jsonb)'::regprocedure);
  v_contacts text := pg_get_functiondef('private.keep_contacts(uuid, private.arrival[])'::regprocedure);
begin
  assert strpos(v_arrivals, 'i -> ''status'', place)::private.arrival') > 0;
  execute replace(v_arrivals, 'i -> ''status'', place)::', 'i -> ''status'', place, i ->> ''wish'')::');
  -- An echo is a message of the business's own to the same contact: it opens no window.
  assert strpos(v_contacts, 'and a.kind = ''message'';') > 0 and strpos(v_contacts, 'max(a.occurred_at)') > 0
    and strpos(v_contacts, 'a.status, a.place' || chr(10) || '      )::private.arrival') > 0;
  v_contacts := replace(v_contacts, 'a.status, a.place' || chr(10) || '      )::', 'a.status, a.place, a.wish)::');
  v_contacts := replace(v_contacts, 'and a.kind = ''message'';', 'and a.kind in (''message'', ''echo'');');
  execute replace(v_contacts, 'max(a.occurred_at)', 'max(a.occurred_at) filter (where a.kind = ''message'')');
end $$;

create or replace function private.keep_arrivals(p_tenant uuid, p_arrivals private.arrival[]) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_messages private.arrival[] := private.keep_contacts(p_tenant, p_arrivals);
  v_new integer;
  v_status record;
begin
  with new_inbox as (
    insert into public.inbox (tenant_id, channel_id, conversation_id, kind, effect_key, item, occurred_at, outcome, settled_at)
      select p_tenant, a.channel_id, v.id, a.kind, a.key, a.item, a.occurred_at,
        case when a.kind in ('account', 'echo') then 'noted' end, case when a.kind in ('account', 'echo') then now() end
      from (select * from unnest(v_messages) union all
        select * from unnest(p_arrivals) o where o.tenant_id = p_tenant and o.kind not in ('message', 'echo')) a
      left join public.contacts k on a.kind in ('message', 'echo') and k.tenant_id = p_tenant
        and k.channel_id = a.channel_id and k.external_id = a.external_id
      left join public.conversations v on v.tenant_id = p_tenant and v.contact_id = k.id
      order by a.place
      on conflict (tenant_id, effect_key) do nothing
      returning id, effect_key, conversation_id
  ), new_messages as (
    insert into public.messages (tenant_id, conversation_id, inbox_id, author, kind, body, provider_id, status, occurred_at, sent_at)
      select p_tenant, n.conversation_id, n.id, case a.kind when 'echo' then 'person' else 'contact' end, a.type, a.body,
        a.provider_id, case a.kind when 'echo' then 'sent' else 'received' end, a.occurred_at,
        case a.kind when 'echo' then a.occurred_at end
      from new_inbox n join unnest(v_messages) a on a.key = n.effect_key
  )
  select count(*) into v_new from new_inbox;

  if exists (select from unnest(v_messages) a where a.kind = 'echo' or a.wish is not null) then
    perform private.heed(p_tenant, v_messages);
  end if;
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

-- What arrivals ask for beside an answer, in their order: an echo says that a person answers on the phone, a wish that
-- the contact wants no more messages ("out") or wants them again ("in"). A wish that changes nothing is no news.
create function private.heed(p_tenant uuid, p_messages private.arrival[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_one record;
begin
  for v_one in
    select a.kind, a.wish, a.occurred_at, k.id as contact from unnest(p_messages) a
    join public.contacts k on k.tenant_id = p_tenant and k.channel_id = a.channel_id and k.external_id = a.external_id
    where a.kind = 'echo' or a.wish is not null order by a.occurred_at, a.place
  loop
    if v_one.kind = 'echo' then
      update public.conversations v set handled_by = 'person', taken_over_at = now()
        where v.tenant_id = p_tenant and v.contact_id = v_one.contact;
    else
      -- By the time of the word: a return that was said before the stop, and comes after it, is no return.
      update public.contacts k set opted_out_at = case v_one.wish when 'out' then v_one.occurred_at end
        where k.tenant_id = p_tenant and k.id = v_one.contact and case v_one.wish
          when 'out' then k.opted_out_at is null else k.opted_out_at <= v_one.occurred_at end;
      if found then
        insert into public.consents (tenant_id, contact_id, purpose, granted, version)
          values (p_tenant, v_one.contact, 'messages', v_one.wish = 'in', 'by message');
      end if;
    end if;
  end loop;
end $$;

-- What a contact last asked for since a moment: no more messages ("out"), or messages again ("in").
create function private.wish_since(p_tenant uuid, p_contact uuid, p_since timestamptz) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when c.granted then 'in' else 'out' end from public.consents c
  where c.tenant_id = p_tenant and c.contact_id = p_contact and c.purpose = 'messages' and c.given_at >= p_since
  order by c.given_at desc, c.id limit 1
$$;

-- How a conversation has gone lately: replies of the last hour, and how many of the contact's last eight messages came
-- within eight seconds of one of ours, quicker than people read and write. By our own clock: Meta's has whole seconds.
create function private.pace(p_tenant uuid, p_conversation uuid) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'replies', (select count(*) from public.messages m where m.tenant_id = p_tenant and m.conversation_id = p_conversation
      and m.author = 'assistant' and m.occurred_at > now() - interval '1 hour'),
    'quick', (select count(*) from (select m.created_at from public.messages m
        where m.tenant_id = p_tenant and m.conversation_id = p_conversation and m.author = 'contact'
          and m.occurred_at > now() - interval '1 hour'
        order by m.occurred_at desc limit 8) c
      where exists (select from public.messages r where r.tenant_id = p_tenant and r.conversation_id = p_conversation
        and r.author = 'assistant' and r.occurred_at > now() - interval '2 hours'
        and r.created_at between c.created_at - interval '8 seconds' and c.created_at)))
$$;

-- Claim a conversation for one turn. Returns {state: claimed | busy | quiet | nothing | absent}; "quiet" with the seconds
-- to wait, since the customer may be writing on: never longer than five quiet periods after the first message, and not at
-- all where a person answers.
do $$
declare
  v_turn text := pg_get_functiondef('public.claim_turn(uuid, uuid, integer)'::regprocedure);
begin
  assert strpos(v_turn, '  v_open jsonb;') > 0 and strpos(v_turn, '''state'', ''claimed'', ') > 0
    and strpos(v_turn, '  update public.conversations v set fence = v.fence + 1') > 0;
  v_turn := replace(v_turn, '  v_open jsonb;', '  v_open jsonb;' || chr(10) || '  v_wait double precision;');
  v_turn := replace(v_turn, '  update public.conversations v set fence = v.fence + 1', $quiet$
  select extract(epoch from least(max(b.received_at) + quiet.period, min(b.received_at) + 5 * quiet.period) - now())
    into v_wait
    from public.inbox b, (select make_interval(secs => t.quiet_seconds) as period from public.tenants t where t.id = p_tenant) quiet
    where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null
    group by quiet.period;
  if v_wait > 0 and v_conversation.handled_by = 'assistant' then
    return jsonb_build_object('state', 'quiet', 'wait', v_wait);
  end if;
  update public.inbox b set attempts = b.attempts + 1
    where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null;
  update public.conversations v set fence = v.fence + 1$quiet$);
  execute replace(v_turn, '''state'', ''claimed'', ', '''state'', ''claimed'', '
    '''pace'', private.pace(p_tenant, p_conversation), '
    '''attempts'', (select max(b.attempts) from public.inbox b where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null), '
    '''opted_out'', (select k.opted_out_at is not null from public.contacts k where k.tenant_id = p_tenant and k.id = v_conversation.contact_id), '
    '''wish'', private.wish_since(p_tenant, v_conversation.contact_id, (select min(b.received_at) from public.inbox b '
      'where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null)), ');
end $$;

-- End a turn: outcomes for its inbox rows, at most one reply into the outbox, the claim given back; all or nothing.
-- p_outcomes: {inbox_id: outcome}. A worker whose claim was taken over gets 'claim lost' (P0001) and writes nothing. A
-- reply to whom a person took over or who said stop during the turn is not kept, and the outcomes say so; a "notice" (that
-- we heard the stop) is. p_handled_by 'person': the assistant hands over.
drop function public.settle_turn(uuid, uuid, bigint, jsonb, text, jsonb, text);
create function public.settle_turn(p_tenant uuid, p_conversation uuid, p_fence bigint, p_outcomes jsonb,
  p_reply text, p_kind text, p_sources jsonb, p_handled_by text) returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_conversation public.conversations;
  v_instead text;
  v_message uuid;
  v_outbox uuid;
  v_turn uuid := gen_random_uuid();
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_conversation from public.conversations v
    where v.tenant_id = p_tenant and v.id = p_conversation and v.fence = p_fence and v.claimed_until is not null for update;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  if p_reply is not null and p_kind <> 'notice' then
    v_instead := case
      when v_conversation.handled_by = 'person' then 'handed_to_person'
      when exists (select from public.contacts k where k.tenant_id = p_tenant and k.id = v_conversation.contact_id
        and k.opted_out_at is not null) then 'opted_out' end;
  end if;
  update public.conversations v set claimed_until = null, handled_by = coalesce(p_handled_by, v.handled_by)
    where v.tenant_id = p_tenant and v.id = p_conversation;
  update public.inbox b set outcome = coalesce(v_instead, p_outcomes ->> b.id::text), settled_at = now(), turn_id = v_turn
    where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null
      and p_outcomes ? b.id::text;
  if p_reply is not null and v_instead is null then
    insert into public.messages (tenant_id, conversation_id, turn_id, author, kind, body, status, sources, occurred_at)
      values (p_tenant, p_conversation, v_turn, 'assistant', p_kind, p_reply, 'queued', coalesce(p_sources, '[]'), now())
      returning id into v_message;
    insert into public.outbox (tenant_id, conversation_id, message_id)
      values (p_tenant, p_conversation, v_message) returning id into v_outbox;
  end if;
  return v_outbox;
end $$;

-- Why a message of the outbox is not sent any more, if so: to whom said stop goes nothing but the notice of it, and what
-- the assistant wrote before a person took over stays unsaid.
create function private.overtaken(p_tenant uuid, p_message uuid) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when k.opted_out_at is not null and m.kind <> 'notice' then 'opted_out'
    when m.author = 'assistant' and v.taken_over_at >= m.occurred_at then 'taken_over' end
  from public.messages m
  join public.conversations v on v.tenant_id = p_tenant and v.id = m.conversation_id
  join public.contacts k on k.tenant_id = p_tenant and k.id = v.contact_id
  where m.tenant_id = p_tenant and m.id = p_message
$$;

-- The last word before a message leaves: false when it shall not, and it is settled then. From here on the provider may
-- have it, so that a worker that dies now leaves it unconfirmed: a status tells, and it is never sent again unasked.
alter table public.outbox add column dispatched_at timestamptz;
create function public.dispatch_outbox(p_tenant uuid, p_outbox uuid, p_fence bigint) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outbox public.outbox;
  v_overtaken text;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_outbox from public.outbox o where o.tenant_id = p_tenant and o.id = p_outbox
    and o.fence = p_fence and o.state = 'pending' and o.claimed_until is not null for update;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  v_overtaken := private.overtaken(p_tenant, v_outbox.message_id);
  if v_overtaken is not null then
    update public.outbox o set state = 'failed', error = v_overtaken, claimed_until = null
      where o.tenant_id = p_tenant and o.id = p_outbox;
    update public.messages m set status = 'failed' where m.tenant_id = p_tenant and m.id = v_outbox.message_id;
    return false;
  end if;
  update public.outbox o set state = 'unconfirmed', dispatched_at = now() where o.tenant_id = p_tenant and o.id = p_outbox;
  return true;
end $$;

do $$
declare
  v_send text := pg_get_functiondef('public.settle_outbox(uuid, uuid, bigint, text, text, text, integer)'::regprocedure);
begin
  assert strpos(v_send, 'when o.state <> ''pending'' then o.state') > 0;
  execute replace(v_send, 'when o.state <> ''pending'' then o.state', 'when o.state not in (''pending'', ''unconfirmed'') then o.state');
end $$;

-- Sends that no status has told of for so long that none will: failed, with the reason for the owner to see. How many.
alter policy sweep_pending on public.outbox
  using (state in ('pending', 'unconfirmed') and (select private.called_by_server()));
grant select (dispatched_at) on public.outbox to portero_sweep;
create function private.tenants_with_unconfirmed() returns setof uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select distinct o.tenant_id from public.outbox o where o.state = 'unconfirmed' and o.dispatched_at < now() - interval '1 minute' limit 500 $$;
create index outbox_unconfirmed on public.outbox (dispatched_at) where state = 'unconfirmed';

create function public.close_unconfirmed(p_seconds integer) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before timestamptz := now() - make_interval(secs => p_seconds);
  v_tenant uuid;
  v_closed integer := 0;
  v_some integer;
begin
  perform private.require_server();
  for v_tenant in select private.tenants_with_unconfirmed() loop
    perform private.enter_tenant(v_tenant);
    with closed as (
      update public.outbox o set state = 'failed', error = 'no_status', claimed_until = null
        where o.tenant_id = v_tenant and o.state = 'unconfirmed' and o.dispatched_at < v_before
        returning o.message_id
    )
    update public.messages m set status = 'failed' from closed c
      where m.tenant_id = v_tenant and m.id = c.message_id and m.status = 'queued';
    get diagnostics v_some = row_count;
    v_closed := v_closed + v_some;
  end loop;
  return v_closed;
end $$;

-- A member takes a conversation over ("person"), or gives it back ("assistant").
create function public.hand_over(p_tenant uuid, p_conversation uuid, p_to text) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  if p_to not in ('assistant', 'person') then
    raise exception 'to whom must be assistant or person' using errcode = '22023';
  end if;
  update public.conversations v set handled_by = p_to,
      taken_over_at = case p_to when 'person' then now() else v.taken_over_at end
    where v.tenant_id = p_tenant and v.id = p_conversation;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  perform private.record_action(p_tenant, case p_to when 'person' then 'conversation.taken' else 'conversation.given_back' end,
    p_conversation);
  return p_to;
end $$;

-- A member writes to a contact, and has taken the conversation over by it. p_key is the console's own name for it in this
-- conversation, so that a call that is repeated writes once; the row's id is made of it, since who could choose that could ask whether it is taken.
-- Returns {outbox}, or {refused: outside_window | opted_out | unsupported} and writes nothing.
create function public.write_as_person(p_tenant uuid, p_conversation uuid, p_key text, p_text text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message uuid := md5(p_tenant::text || p_conversation::text || p_key)::uuid;
  v_conversation public.conversations;
  v_outbox uuid;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  if char_length(p_text) not between 1 and 4096 or char_length(p_key) not between 8 and 64 then
    raise exception 'text must have 1 to 4096 characters, key 8 to 64' using errcode = '22023';
  end if;
  select * into v_conversation from public.conversations v
    where v.tenant_id = p_tenant and v.id = p_conversation for update;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  select o.id into v_outbox from public.outbox o where o.tenant_id = p_tenant and o.message_id = v_message;
  if v_outbox is not null then
    return jsonb_build_object('outbox', v_outbox);
  end if;
  if exists (select from public.channels c where c.tenant_id = p_tenant and c.id = v_conversation.channel_id
      and c.kind <> 'whatsapp') then
    return jsonb_build_object('refused', 'unsupported');
  end if;
  if exists (select from public.contacts k where k.tenant_id = p_tenant and k.id = v_conversation.contact_id
      and k.opted_out_at is not null) then
    return jsonb_build_object('refused', 'opted_out');
  end if;
  if v_conversation.last_inbound_at is null or v_conversation.last_inbound_at < now() - interval '24 hours' then
    return jsonb_build_object('refused', 'outside_window');
  end if;
  update public.conversations v set handled_by = 'person', taken_over_at = now()
    where v.tenant_id = p_tenant and v.id = p_conversation;
  insert into public.messages (id, tenant_id, conversation_id, author, kind, body, status, occurred_at)
    values (v_message, p_tenant, p_conversation, 'person', 'text', p_text, 'queued', now());
  insert into public.outbox (tenant_id, conversation_id, message_id)
    values (p_tenant, p_conversation, v_message) returning id into v_outbox;
  perform private.record_action(p_tenant, 'conversation.written', p_conversation);
  return jsonb_build_object('outbox', v_outbox);
end $$;

grant execute on function public.settle_turn(uuid, uuid, bigint, jsonb, text, text, jsonb, text) to service_role;
grant execute on function public.dispatch_outbox(uuid, uuid, bigint), public.close_unconfirmed(integer) to service_role;
grant execute on function private.tenants_with_unconfirmed() to portero_service;
grant execute on function public.hand_over(uuid, uuid, text), public.write_as_person(uuid, uuid, text, text) to authenticated;
grant create on schema public, private to portero_service, portero_sweep;
alter function private.overtaken(uuid, uuid) owner to portero_service;
alter function public.dispatch_outbox(uuid, uuid, bigint) owner to portero_service;
alter function private.tenants_with_unconfirmed() owner to portero_sweep;
alter function public.close_unconfirmed(integer) owner to portero_service;
alter function private.heed(uuid, private.arrival[]) owner to portero_service;
alter function private.pace(uuid, uuid) owner to portero_service;
alter function private.wish_since(uuid, uuid, timestamptz) owner to portero_service;
alter function public.settle_turn(uuid, uuid, bigint, jsonb, text, text, jsonb, text) owner to portero_service;
alter function public.hand_over(uuid, uuid, text) owner to portero_service;
alter function public.write_as_person(uuid, uuid, text, text) owner to portero_service;
revoke create on schema public, private from portero_service, portero_sweep;
