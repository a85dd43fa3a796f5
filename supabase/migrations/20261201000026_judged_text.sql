-- The verdict of the input filter is stored with each message, so that a text is judged once and no prompt holds one that was
-- not judged (docs/decisions/0017). And neutral replies are counted, so that a loop of blocked messages ends.

-- Both are null until the message is judged. filter_version: the filter that gave the verdict; another version judges again.
alter table public.messages
  add column verdict text check (verdict in ('allow', 'flag', 'block')),
  add column filter_version text check (char_length(filter_version) between 1 and 40);
alter table public.messages add constraint messages_verdict_has_version check ((verdict is null) = (filter_version is null));

-- A verdict is of one text: whatever changes the text leaves it without one.
create function private.forget_verdict() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.verdict := null;
  new.filter_version := null;
  return new;
end $$;
create trigger forget_verdict before update of body on public.messages
  for each row when (old.body is distinct from new.body) execute function private.forget_verdict();

-- The lines of a conversation that a model reads, at most twenty, none of them in the summary yet; and once there are twenty, those
-- older than the last ten, which the summary is to tell from then on. What waits for an answer is not among them. Each comes with
-- its verdict: who builds a prompt withholds what was blocked.
create or replace function private.memory(p_tenant uuid, p_conversation uuid, p_since timestamptz) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with latest as (
    select m.id, m.author, m.body, m.verdict, m.filter_version, m.occurred_at, m.created_at from public.messages m
    where m.tenant_id = p_tenant and m.conversation_id = p_conversation and m.body <> ''
      and m.occurred_at > coalesce(p_since, '-infinity')
      and not exists (select from public.inbox b where b.tenant_id = p_tenant and b.id = m.inbox_id and b.outcome is null)
    order by m.occurred_at desc, m.created_at desc limit 60
  ), aged as (
    select l.occurred_at, row_number() over (order by l.occurred_at desc, l.created_at desc) as age,
      jsonb_build_object('id', l.id, 'author', l.author, 'text', l.body, 'verdict', l.verdict,
        'filter_version', l.filter_version) as line
    from latest l
  )
  select jsonb_build_object(
    'history', coalesce(jsonb_agg(a.line order by a.age desc) filter (where a.age <= 20), '[]'),
    'older', case when count(*) >= 20 then jsonb_build_object(
      'until', max(a.occurred_at) filter (where a.age > 10), 'lines', jsonb_agg(a.line order by a.age desc) filter (where a.age > 10))
      end)
  from aged a
$$;

-- How a conversation has gone lately: replies of the last hour, the neutral ones among them, and how many of the contact's last
-- eight messages came within eight seconds of one of ours, quicker than people read and write. By our own clock: Meta's has whole
-- seconds.
create or replace function private.pace(p_tenant uuid, p_conversation uuid) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'replies', lately.replies, 'neutral', lately.neutral,
    'quick', (select count(*) from (select m.created_at from public.messages m
        where m.tenant_id = p_tenant and m.conversation_id = p_conversation and m.author = 'contact'
          and m.occurred_at > now() - interval '1 hour'
        order by m.occurred_at desc, m.created_at desc limit 8) c
      where exists (select from public.messages r where r.tenant_id = p_tenant and r.conversation_id = p_conversation
        and r.author = 'assistant' and r.occurred_at > now() - interval '2 hours'
        and r.created_at between c.created_at - interval '8 seconds' and c.created_at)))
  from (select count(*) as replies, count(*) filter (where m.kind = 'neutral') as neutral from public.messages m
    where m.tenant_id = p_tenant and m.conversation_id = p_conversation
      and m.author = 'assistant' and m.occurred_at > now() - interval '1 hour') lately
$$;

-- Claim a conversation for one turn. Returns {state: claimed | busy | quiet | nothing | absent}; "quiet" with the seconds
-- to wait, since the customer may be writing on: never longer than five quiet periods after the first message, and not at
-- all where a person answers.
create or replace function public.claim_turn(p_tenant uuid, p_conversation uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_conversation public.conversations;
  v_tenant public.tenants;
  v_open jsonb;
  v_first timestamptz;
  v_wait double precision;
  v_attempts integer;
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
  select jsonb_agg(jsonb_build_object('inbox_id', b.id, 'id', m.id, 'kind', m.kind, 'text', m.body, 'is_forwarded', coalesce(
      b.item #>> '{context,forwarded}' = 'true' or b.item #>> '{context,frequently_forwarded}' = 'true', false))
      order by b.occurred_at, b.received_at)
    into v_open
    from (select * from public.inbox i where i.tenant_id = p_tenant and i.conversation_id = p_conversation
      and i.outcome is null order by i.occurred_at limit 50) b
    join public.messages m on m.tenant_id = p_tenant and m.inbox_id = b.id;
  if v_open is null then
    return jsonb_build_object('state', 'nothing');
  end if;
  select * into v_tenant from public.tenants t where t.id = p_tenant;
  select min(b.received_at), extract(epoch from least(max(b.received_at) + make_interval(secs => v_tenant.quiet_seconds),
      min(b.received_at) + 5 * make_interval(secs => v_tenant.quiet_seconds)) - now()), max(b.attempts) + 1
    into v_first, v_wait, v_attempts
    from public.inbox b where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null;
  if v_wait > 0 and v_conversation.handled_by = 'assistant' then
    return jsonb_build_object('state', 'quiet', 'wait', v_wait);
  end if;
  update public.inbox b set attempts = b.attempts + 1
    where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null;
  update public.conversations v set fence = v.fence + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where v.tenant_id = p_tenant and v.id = p_conversation
    returning * into v_conversation;
  return private.memory(p_tenant, p_conversation, v_conversation.summarised_until) || jsonb_build_object(
    'state', 'claimed', 'fence', v_conversation.fence, 'messages', v_open, 'attempts', v_attempts,
    'handled_by', v_conversation.handled_by, 'last_inbound_at', v_conversation.last_inbound_at,
    'summary', v_conversation.summary, 'summarised_until', v_conversation.summarised_until,
    'contact', v_conversation.contact_id, 'channel_row', v_conversation.channel_id,
    'channel', (select c.kind from public.channels c where c.tenant_id = p_tenant and c.id = v_conversation.channel_id),
    'opted_out', (select k.opted_out_at is not null from public.contacts k
      where k.tenant_id = p_tenant and k.id = v_conversation.contact_id),
    'media', (select coalesce(jsonb_agg(d.id order by d.created_at, d.place), '[]')
      from public.inbox b join public.messages m on m.tenant_id = p_tenant and m.inbox_id = b.id
      join public.media d on d.tenant_id = p_tenant and d.message_id = m.id and d.state = 'waiting'
      where b.tenant_id = p_tenant and b.conversation_id = p_conversation and b.outcome is null),
    'wish', private.wish_since(p_tenant, v_conversation.contact_id, v_first),
    'pace', private.pace(p_tenant, p_conversation),
    'standing', private.standing(p_tenant, v_conversation.contact_id),
    'template', private.template_for(p_tenant, p_conversation),
    'is_away', not private.is_within_hours(v_tenant.assistant_hours, v_tenant.time_zone, now()),
    'away_sentence', private.away_sentence_for(p_tenant, p_conversation),
    'budget', private.budget_facts(p_tenant),
    'tenant', jsonb_build_object('name', v_tenant.name, 'language', v_tenant.language,
      'instructions', v_tenant.instructions, 'hand_off_sentence', v_tenant.hand_off_sentence));
end $$;

-- End a turn: outcomes for its inbox rows, at most one reply into the outbox, the claim given back, the verdicts stored; all or
-- nothing. p_outcomes: {inbox_id: outcome}. p_judged: {filter_version, messages: {message_id: verdict}, reply: verdict}; without it
-- the next turn judges. A worker whose claim was taken over gets 'claim lost' (P0001) and writes nothing. A reply to whom a person
-- took over or who said stop during the turn is not kept, and the outcomes say so; a "notice" (that we heard the stop) is.
-- p_handled_by 'person': the assistant hands over.
drop function public.settle_turn(uuid, uuid, bigint, jsonb, text, text, jsonb, text);
create function public.settle_turn(p_tenant uuid, p_conversation uuid, p_fence bigint, p_outcomes jsonb,
  p_reply text, p_kind text, p_sources jsonb, p_handled_by text, p_judged jsonb default '{}') returns uuid
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
  -- A row that a status is writing keeps its verdict until the next turn, so that neither waits for the other.
  update public.messages m set verdict = p_judged -> 'messages' ->> m.id::text, filter_version = p_judged ->> 'filter_version'
    from (select j.id from public.messages j where j.tenant_id = p_tenant and j.conversation_id = p_conversation
        and j.id = any (array(select k::uuid from jsonb_object_keys(p_judged -> 'messages') k))
        for no key update skip locked) judged
    where m.tenant_id = p_tenant and m.id = judged.id;
  if p_reply is not null and v_instead is null then
    insert into public.messages (tenant_id, conversation_id, turn_id, author, kind, body, status, sources, occurred_at, verdict,
        filter_version)
      values (p_tenant, p_conversation, v_turn, 'assistant', p_kind, p_reply, 'queued', coalesce(p_sources, '[]'), now(),
        p_judged ->> 'reply', case when p_judged ->> 'reply' is not null then p_judged ->> 'filter_version' end)
      returning id into v_message;
    insert into public.outbox (tenant_id, conversation_id, message_id)
      values (p_tenant, p_conversation, v_message) returning id into v_outbox;
  end if;
  return v_outbox;
end $$;

grant execute on function public.settle_turn(uuid, uuid, bigint, jsonb, text, text, jsonb, text, jsonb) to service_role;
grant create on schema public to portero_service;
alter function public.settle_turn(uuid, uuid, bigint, jsonb, text, text, jsonb, text, jsonb) owner to portero_service;
revoke create on schema public from portero_service;
